//! Input that is no JSON, or no document that can be told: a fault of the input, where a violation
//! is a fault of the document.

use crate::{place::Place, split::DEPTH_MAX};

/// What keeps input from being judged, where it stands and what cures it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct Malformed {
    /// Line, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
    /// What is wrong there.
    pub problem: Problem,
}

/// What keeps input from being judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No value at all.
    #[error("the input is empty")]
    Empty,
    /// A byte-order mark of another encoding.
    #[error("the input is UTF-16 or UTF-32")]
    Utf16,
    /// Bytes that are not UTF-8.
    #[error("the bytes here are not UTF-8")]
    NotUtf8,
    /// Too many brackets inside one another.
    #[error("arrays and objects are nested more than {DEPTH_MAX} deep")]
    TooDeep,
    /// A record that would not fit the memory set aside for one.
    #[error("the record that begins here is larger than {limit} bytes")]
    TooLarge {
        /// Bytes that a record may have.
        limit: usize,
    },
    /// A number beyond what a double can hold.
    #[error("the number is out of range")]
    NumberOutOfRange,
    /// Any other break of JSON's grammar, in the parser's words.
    #[error("{0}")]
    Syntax(String),
    /// A document that is neither report and whose schema was not named.
    #[error(
        "nothing tells which schema judges this document: it is no array and has no `products`"
    )]
    UnknownDocument,
}

impl Problem {
    /// What the author of the input can do about it.
    pub fn cure(&self) -> &'static str {
        match self {
            Problem::Empty => "write a JSON document; a report of nothing is `[]` or `null`",
            Problem::Utf16 | Problem::NotUtf8 => "save the file as UTF-8",
            Problem::TooDeep => "flatten the value",
            Problem::TooLarge { .. } => "split it, or write one record a line",
            Problem::NumberOutOfRange => "write a number that a double can hold",
            Problem::Syntax(_) => "correct the JSON here",
            Problem::UnknownDocument => "name its schema with --schema",
        }
    }

    pub(crate) fn at(self, place: Place) -> Malformed {
        Malformed { line: place.line, column: place.column, problem: self }
    }
}
