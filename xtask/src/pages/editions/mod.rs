//! The three editions in which a page comes, each read into the same tables.

mod cells;
mod doc_center;
mod flattened;
mod markdown;

use super::model::{Kind, Property};
use super::words::{self, Language};

/// A table of properties.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) language: Language,
    pub(crate) line: usize,
    pub(crate) rows: Vec<Row>,
}

/// A row of a table of properties.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) property: Property,
    /// Whether it speaks of the elements of a collection that is listed above it.
    pub(crate) is_nested: bool,
}

/// The tables of properties on a page, whatever its edition.
pub(crate) fn tables(text: &str) -> Vec<Table> {
    [markdown::tables, doc_center::tables, flattened::tables]
        .iter()
        .map(|tables| tables(text))
        .find(|tables| !tables.is_empty())
        .unwrap_or_default()
}

impl Row {
    fn new(line: usize, name: &str, kind: Kind, description: &str) -> Self {
        let mut row = Row {
            is_nested: element_name(name).is_some(),
            property: Property {
                name: element_name(name).unwrap_or(name).to_owned(),
                kind,
                optional: false,
                line,
            },
        };
        row.describe(description);
        row
    }

    /// Takes from a description what it says of the property.
    fn describe(&mut self, description: &str) {
        self.property.optional |= words::describes_optional(description);
        if let Kind::Enum(values) = &mut self.property.kind {
            values.extend(words::values(description));
        }
    }
}

/// The name after the `[ ].` that marks a property of a collection's elements.
fn element_name(name: &str) -> Option<&str> {
    let rest = name.trim_start().strip_prefix('[')?;
    rest.trim_start().strip_prefix(']')?.trim_start().strip_prefix('.').map(str::trim_start)
}
