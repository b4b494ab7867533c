//! The members of an object, taken one by one.

use serde_json::{Map, Value};

use super::{FromJson, ParseError, Pointer};

/// The members of an object that were not taken yet, in order.
pub(crate) struct Members<'a> {
    map: Map<String, Value>,
    at: &'a Pointer<'a>,
}

impl<'a> Members<'a> {
    pub(crate) fn of(value: Value, at: &'a Pointer<'a>) -> Result<Self, ParseError> {
        match value {
            Value::Object(map) => Ok(Self { map, at }),
            other => Err(ParseError::expected("an object", &other, at)),
        }
    }

    pub(crate) fn required<T: FromJson>(&mut self, name: &str) -> Result<T, ParseError> {
        self.optional(name)?.ok_or_else(|| ParseError::new("is missing", &self.at.member(name)))
    }

    pub(crate) fn optional<T: FromJson>(&mut self, name: &str) -> Result<Option<T>, ParseError> {
        // Not `remove`, which would disturb the order of the members that are kept.
        let value = self.map.shift_remove(name);
        value.map(|value| T::from_json(value, &self.at.member(name))).transpose()
    }

    /// Takes a member that can have one value only.
    pub(crate) fn tag(&mut self, name: &str, only: &str) -> Result<(), ParseError> {
        let found: String = self.required(name)?;
        if found == only {
            return Ok(());
        }
        Err(ParseError::new(format!("is {found:?}, expected {only:?}"), &self.at.member(name)))
    }

    /// Ends a closed object: nothing may be left.
    pub(crate) fn none_left(self) -> Result<(), ParseError> {
        match self.map.keys().next() {
            None => Ok(()),
            Some(name) => Err(ParseError::new("is not allowed here", &self.at.member(name))),
        }
    }

    /// Ends an open object: gives what is left, unless a forbidden member is among it.
    pub(crate) fn left(self, forbidden: &[&str]) -> Result<Map<String, Value>, ParseError> {
        match forbidden.iter().find(|name| self.map.contains_key(**name)) {
            None => Ok(self.map),
            Some(name) => Err(ParseError::new("is not allowed here", &self.at.member(name))),
        }
    }
}
