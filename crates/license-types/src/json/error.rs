//! What is said when a value does not fit its type.

use std::fmt::Display;

use serde_json::Value;
use thiserror::Error;

use super::Pointer;

/// A value that its type does not allow.
///
/// ```
/// let error = license_types::Day::new(32).unwrap_err();
/// assert_eq!(error.to_string(), "32 is no Day: expected an integer from 1 to 31");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{found} is no {}: expected {}", rule.name, rule.expected)]
pub struct Invalid {
    rule: &'static Rule,
    found: String,
}

/// What a type allows, in words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) expected: &'static str,
}

impl Rule {
    /// Refuses a number.
    pub(crate) fn refuse(&'static self, found: impl Display) -> Invalid {
        Invalid { rule: self, found: found.to_string() }
    }

    /// Refuses a text, of which the error shows the beginning with control characters escaped.
    pub(crate) fn refuse_text(&'static self, found: &str) -> Invalid {
        const SHOWN: usize = 64;
        let more = if found.chars().nth(SHOWN).is_some() { "…" } else { "" };
        let start: String = found.chars().take(SHOWN).collect();
        self.refuse(format_args!("{start:?}{more}"))
    }
}

/// Where and why a JSON value does not fit its type.
///
/// ```
/// use license_types::{FromJson, Session};
///
/// let error = Session::parse(serde_json::json!({"type": "remote", "ID": "7"})).unwrap_err();
/// assert_eq!(error.shape(), Some("ClientSession"));
/// assert_eq!(error.at(), "/userName");
/// assert_eq!(error.to_string(), "/userName: is missing (the nearest shape is ClientSession)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}: {message}{}", if at.is_empty() { "the document" } else { at }, near(*shape))]
pub struct ParseError {
    at: String,
    message: String,
    shape: Option<&'static str>,
}

fn near(shape: Option<&str>) -> String {
    shape.map(|shape| format!(" (the nearest shape is {shape})")).unwrap_or_default()
}

impl ParseError {
    pub(crate) fn new(message: impl Into<String>, at: &Pointer<'_>) -> Self {
        Self { at: at.to_string(), message: message.into(), shape: None }
    }

    /// The value is of another kind than `expected`.
    pub(crate) fn expected(expected: &str, found: &Value, at: &Pointer<'_>) -> Self {
        Self::new(format!("is {}, expected {expected}", kind(found)), at)
    }

    /// The value is refused by its type.
    pub(crate) fn invalid(invalid: &Invalid, at: &Pointer<'_>) -> Self {
        Self::new(invalid.to_string(), at)
    }

    /// Names the branch of a union that was read, unless one further in is named already.
    pub(crate) fn in_shape(self, shape: &'static str) -> Self {
        Self { shape: self.shape.or(Some(shape)), ..self }
    }

    /// JSON Pointer of the value that does not fit, or of the member that is missing.
    pub fn at(&self) -> &str {
        &self.at
    }

    /// What is wrong there, for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where a union was read: the shape that the value is nearest to.
    pub fn shape(&self) -> Option<&'static str> {
        self.shape
    }
}

/// The kind of a value, for messages.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
