//! What a page and a schema both say of an object, so that the two can be compared.

use std::fmt;

/// An object: what a table lists, or what a schema lists.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object {
    /// Its key under `$defs`, such as `SqlSession`.
    pub(crate) key: String,
    /// Its name in messages, such as `SQL session`.
    pub(crate) title: String,
    /// The file of its schema, such as `session.schema.json`.
    pub(crate) file: String,
    pub(crate) properties: Vec<Property>,
    /// Whether a page lists it in a table; a date is only told in prose.
    pub(crate) has_table: bool,
}

/// One property of an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) optional: bool,
    /// Where a page says it; zero in a schema.
    pub(crate) line: usize,
}

/// The type of a property, as far as a page can tell it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Number,
    Text,
    DateTime,
    /// Text that is one of these words.
    Enum(Vec<String>),
    Boolean,
    /// An object of one of these keys; a page names none.
    Object(Vec<String>),
    /// A collection, of this where that is said.
    Collection(Option<Box<Kind>>),
    /// Words that name no type we know; empty where nothing is said.
    Unknown(String),
}

impl Kind {
    /// The keys of the objects that this is or is a collection of.
    pub(crate) fn object_keys(&self) -> &[String] {
        match self {
            Kind::Object(keys) => keys,
            Kind::Collection(Some(element)) => element.object_keys(),
            Kind::Number | Kind::Text | Kind::DateTime | Kind::Enum(_) | Kind::Boolean => &[],
            Kind::Collection(None) | Kind::Unknown(_) => &[],
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind, if self.optional { ", optional" } else { "" })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Number => write!(f, "Number"),
            Kind::Text => write!(f, "Text"),
            Kind::DateTime => write!(f, "Date ISO 8601"),
            Kind::Enum(values) => write!(f, "Text (enum) {}", Values(values)),
            Kind::Boolean => write!(f, "Boolean"),
            Kind::Object(_) => write!(f, "Object"),
            Kind::Collection(None) => write!(f, "Collection"),
            Kind::Collection(Some(element)) => write!(f, "Collection of {element}"),
            Kind::Unknown(words) if words.is_empty() => write!(f, "no type"),
            Kind::Unknown(words) => {
                write!(f, "`{words}`, a type that xtask/src/pages/words.rs does not know")
            }
        }
    }
}

/// The words of an enum, in quotes.
pub(crate) struct Values<'a>(pub(crate) &'a [String]);

impl fmt::Display for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return write!(f, "no values");
        }
        for (index, value) in self.0.iter().enumerate() {
            write!(f, "{}\"{value}\"", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
