//! What the generated types are read with. Every type reads a [`serde_json::Value`] first, so that
//! the last of duplicated members wins, as in the reference validator, and unions can look before
//! they read.

mod error;
mod members;
pub(crate) mod pattern;
mod pointer;
pub(crate) mod scalar;
#[cfg(feature = "schemars")]
pub(crate) mod schema;
pub(crate) mod shapes;
mod traits;

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

pub use error::{Invalid, ParseError};
pub use pointer::Pointer;

pub(crate) use error::Rule;

/// What generated modules have in scope.
pub(crate) mod prelude {
    pub(crate) use serde::Serialize;
    pub(crate) use serde_json::{Map, Value};

    pub(crate) use super::error::Rule;
    pub(crate) use super::members::Members;
    pub(crate) use super::pattern::{self, Part};
    pub(crate) use super::scalar;
    pub(crate) use super::shapes::{self, Shape, Tagged};
    pub(crate) use super::traits::{
        convert, deserialize, integer_traits, text_traits, word_traits,
    };
    pub(crate) use super::{FromJson, Invalid, ParseError, Pointer};
    pub(crate) use crate::date_time;
}

/// A type that is read from a JSON value, and says where the value does not fit.
///
/// ```
/// use license_types::{FromJson, LicenseUsage};
///
/// let error = LicenseUsage::parse(serde_json::json!([{}])).unwrap_err();
/// assert_eq!(error.at(), "/0/productId");
/// ```
pub trait FromJson: Sized {
    /// Reads the value that stands at `at`.
    ///
    /// # Errors
    /// [`ParseError`] names the first place that does not fit.
    fn from_json(value: Value, at: &Pointer<'_>) -> Result<Self, ParseError>;

    /// Reads a whole document.
    ///
    /// # Errors
    /// [`ParseError`] names the first place that does not fit.
    fn parse(value: Value) -> Result<Self, ParseError> {
        Self::from_json(value, &Pointer::ROOT)
    }
}

/// Deserializes through a [`Value`].
pub(crate) fn deserialize<'de, T: FromJson, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    T::parse(Value::deserialize(from)?).map_err(de::Error::custom)
}

impl FromJson for String {
    fn from_json(value: Value, at: &Pointer<'_>) -> Result<Self, ParseError> {
        match value {
            Value::String(text) => Ok(text),
            other => Err(ParseError::expected("a string", &other, at)),
        }
    }
}

impl FromJson for bool {
    fn from_json(value: Value, at: &Pointer<'_>) -> Result<Self, ParseError> {
        value.as_bool().ok_or_else(|| ParseError::expected("a boolean", &value, at))
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: Value, at: &Pointer<'_>) -> Result<Self, ParseError> {
        match value {
            Value::Array(items) => items
                .into_iter()
                .enumerate()
                .map(|(index, item)| T::from_json(item, &at.item(index)))
                .collect(),
            other => Err(ParseError::expected("an array", &other, at)),
        }
    }
}

/// Null or a value. An optional member is never read through this: it is absent, never null.
impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: Value, at: &Pointer<'_>) -> Result<Self, ParseError> {
        match value {
            Value::Null => Ok(None),
            some => T::from_json(some, at).map(Some),
        }
    }
}
