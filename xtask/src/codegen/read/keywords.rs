//! The keywords of one schema: each is taken by whoever understands it, and none may be left.

use std::collections::BTreeSet;
use std::fmt::{self, Display};

use serde_json::{Map, Value};

use super::super::model::Schema;

/// A place in a schema file.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    schema: String,
    pointer: String,
}

impl Place {
    pub(crate) fn root(schema: &str) -> Self {
        Self { schema: schema.to_owned(), pointer: String::new() }
    }

    pub(crate) fn child(&self, name: &str) -> Self {
        let name = name.replace('~', "~0").replace('/', "~1");
        Self { schema: self.schema.clone(), pointer: format!("{}/{name}", self.pointer) }
    }

    pub(crate) fn refuse<T>(&self, why: impl Display) -> Result<T, Refusal> {
        Err(Refusal { place: self.clone(), why: why.to_string() })
    }

    /// Where a definition of a file stands, by its index there.
    pub(crate) fn of(schema: &Schema, index: usize) -> Self {
        let root = Self::root(&schema.name);
        match &schema.definitions[index] {
            _ if index == 0 && schema.has_root => root,
            definition => root.child("$defs").child(&definition.name),
        }
    }
}

impl Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "schemas/{}.schema.json#{}", self.schema, self.pointer)
    }
}

/// What the generator does not support, and where.
#[derive(Debug)]
pub(crate) struct Refusal {
    place: Place,
    why: String,
}

impl Refusal {
    /// The same, with more to say.
    pub(crate) fn with(self, more: &str) -> Self {
        Self { why: self.why + more, ..self }
    }
}

impl Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.why)
    }
}

impl std::error::Error for Refusal {}

/// The keywords of a schema that were not taken yet.
pub(crate) struct Keywords<'a> {
    members: &'a Map<String, Value>,
    place: Place,
    asked: BTreeSet<String>,
}

impl<'a> Keywords<'a> {
    pub(crate) fn of(value: &'a Value, place: &Place) -> Result<Self, Refusal> {
        match value {
            Value::Object(members) => {
                Ok(Self { members, place: place.clone(), asked: BTreeSet::new() })
            }
            _ => place.refuse("must be an object"),
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<&'a Value> {
        self.asked.insert(name.to_owned());
        self.members.get(name)
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<&'a str>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => self.place.refuse(format_args!("`{name}` must be a string")),
        }
    }

    pub(crate) fn needed_text(&mut self, name: &str) -> Result<&'a str, Refusal> {
        match self.text(name)? {
            Some(text) if !text.is_empty() => Ok(text),
            _ => self.place.refuse(format_args!("needs a `{name}`")),
        }
    }

    /// A list of strings, empty where absent, none twice.
    pub(crate) fn texts(&mut self, name: &str) -> Result<Vec<&'a str>, Refusal> {
        let items = match self.take(name) {
            None => &[],
            Some(Value::Array(items)) => items.as_slice(),
            Some(_) => return self.place.refuse(format_args!("`{name}` must be an array")),
        };
        let mut texts = Vec::new();
        for item in items {
            match item.as_str() {
                Some(text) if !texts.contains(&text) => texts.push(text),
                _ => {
                    return self.place.refuse(format_args!(
                        "`{name}` lists {item}, which is no string or stands there twice"
                    ));
                }
            }
        }
        Ok(texts)
    }

    /// Refuses what nobody took.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        match self.members.keys().find(|name| !self.asked.contains(*name)) {
            None => Ok(()),
            Some(name) => {
                let known: Vec<&str> = self.asked.iter().map(String::as_str).collect();
                self.place.refuse(format_args!(
                    "`{name}` is not supported here, only: {}; a constraint needs a definition of \
                     its own in `$defs`",
                    known.join(", ")
                ))
            }
        }
    }
}
