//! One schema in one profile, ready to judge documents.

use std::fmt;

use license_types::{
    Violation,
    schemas::{NAMES, Profile},
};
use serde_json::Value;

use crate::{
    breach::{self, Breach},
    bytes,
    compiled::Compiled,
    explain, generated,
    malformed::Malformed,
    place::Place,
    text,
};

/// The report whose documents are arrays of records, and the schema of one record.
pub(crate) const USAGE: &str = "license-usage";
pub(crate) const RETENTION: &str = "retention";
pub(crate) const INFO: &str = "license-info";

/// Judges documents against one embedded schema.
///
/// Cheap to make and to copy: each schema is compiled once, when it is first used.
///
/// ```
/// use license_validate::{Profile, Validator};
///
/// let validator = Validator::new("license-usage", Profile::Documented)?;
/// assert_eq!(validator.check(b"[]")?, []);
///
/// let violations = validator.check(b"[\n  {\"token\": 0}\n]")?;
/// let zero = violations.iter().find(|violation| violation.instance_path == "/0/token").unwrap();
/// assert_eq!((zero.line.get(), zero.column.get()), (2, 13));
/// assert_eq!(zero.schema_path, "/$defs/Token/minimum");
/// assert_eq!(zero.message, "0 is less than the minimum of 1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Validator {
    name: &'static str,
    profile: Profile,
    masked: bool,
    reader: bytes::Reader,
    compiled: &'static Compiled,
}

impl Validator {
    /// A validator of the schema `name` as `profile` reads it.
    ///
    /// # Errors
    /// [`UnknownSchema`] where no schema of that name is embedded.
    pub fn new(name: &str, profile: Profile) -> Result<Validator, UnknownSchema> {
        let unknown = || UnknownSchema { name: name.to_owned() };
        let name = NAMES.iter().copied().find(|known| *known == name).ok_or_else(unknown)?;
        let reader = generated::reader(name, profile).ok_or_else(unknown)?;
        let compiled = Compiled::embedded(name, profile).ok_or_else(unknown)?;
        Ok(Validator { name, profile, masked: false, reader, compiled })
    }

    /// The same, but no value of a document stands in a message; names of members do.
    ///
    /// ```
    /// use license_validate::{Profile, Validator};
    ///
    /// let validator = Validator::new("license-info", Profile::Observed)?.masked(true);
    /// let violations = validator.check(br#""secret""#)?;
    /// assert_eq!(violations[0].message, "a string is neither null nor an object");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn masked(self, masked: bool) -> Validator {
        Validator { masked, ..self }
    }

    /// Name of the schema.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Profile that the schema is read in.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Whether `document` is certainly valid, found in one pass over its bytes and without any
    /// memory. If not, it is most likely invalid, and [`check`](Validator::check) tells.
    ///
    /// ```
    /// use license_validate::{Profile, Validator};
    ///
    /// let validator = Validator::new("renew-request", Profile::Documented)?;
    /// assert!(validator.accepts(br#"{"state": "sleeping"}"#));
    /// // Valid too, but written in a way that is left to the slower judge.
    /// assert!(!validator.accepts(br#"{"state": "sleep\u0069ng"}"#));
    /// assert_eq!(validator.check(br#"{"state": "sleep\u0069ng"}"#)?, []);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn accepts(&self, document: &[u8]) -> bool {
        bytes::accepts(self.reader, document)
    }

    /// Judges one whole document: every violation, in the order of the document; none if it is
    /// valid. A byte-order mark before it is skipped.
    ///
    /// # Errors
    /// [`Malformed`] where `document` is not one JSON value.
    pub fn check(&self, document: &[u8]) -> Result<Vec<Violation>, Malformed> {
        let document = text::document(document)?;
        if self.accepts(document) {
            return Ok(Vec::new());
        }
        let value = text::parse(document, Place::START)?;
        Ok(breach::violations(self.breaches(&value), document, Place::START))
    }

    /// Every breach of the schema in `value`.
    pub(crate) fn breaches(&self, value: &Value) -> Vec<Breach> {
        if self.compiled.reference.is_valid(value) {
            return Vec::new();
        }
        explain::breaches(self.compiled, self.profile, value, self.masked)
    }

    /// Every breach in an element of a document whose schema is that of an array and says no more
    /// of it than what its elements are.
    pub(crate) fn element_breaches(&self, element: &mut Value) -> Vec<Breach> {
        let mut array = [element.take()].into_iter().collect::<Value>();
        let mut breaches = self.breaches(&array);
        for breach in &mut breaches {
            breach.at.drain(.."/0".len());
        }
        *element = array[0].take();
        breaches
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Validator { name, profile, masked, reader: _, compiled: _ } = self;
        write!(out, "Validator({name}, {profile}, masked: {masked})")
    }
}

/// No schema of that name is embedded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no schema is called `{name}`; there are {}", NAMES.join(", "))]
pub struct UnknownSchema {
    name: String,
}
