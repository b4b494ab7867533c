//! The embedded schemas, each compiled once for the reference validator.

use std::sync::{LazyLock, OnceLock};

use jsonschema::{Draft, ValidationError};
use license_types::schemas::{self, Profile};
use serde_json::Value;

/// A schema and the validator that was built from it.
pub(crate) struct Compiled {
    /// The document that is printed and served; schema places point into it.
    pub(crate) schema: Value,
    pub(crate) reference: jsonschema::Validator,
}

impl Compiled {
    /// Compiles a schema that is complete in itself, formats asserted.
    ///
    /// A reference to another document is an error, as is a format that nobody knows.
    pub(crate) fn new(schema: Value) -> Result<Compiled, ValidationError<'static>> {
        let reference = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .offline()
            .should_validate_formats(true)
            .should_ignore_unknown_formats(false)
            .build(&schema)?;
        Ok(Compiled { schema, reference })
    }

    /// The embedded schema of that name. Building one costs milliseconds, so each is built once,
    /// when it is first needed.
    pub(crate) fn embedded(name: &str, profile: Profile) -> Option<&'static Compiled> {
        static EMBEDDED: LazyLock<Vec<Embedded>> = LazyLock::new(|| {
            let embedded = |name| Profile::ALL.map(|profile| (name, profile, OnceLock::new()));
            schemas::NAMES.iter().copied().flat_map(embedded).collect()
        });
        let text = schemas::text(name, profile)?;
        let (_, _, cell) = EMBEDDED.iter().find(|it| it.0 == name && it.1 == profile)?;
        Some(cell.get_or_init(|| {
            let schema = serde_json::from_str(text).expect("an embedded schema is JSON");
            Compiled::new(schema).expect("an embedded schema is complete and sound")
        }))
    }
}

type Embedded = (&'static str, Profile, OnceLock<Compiled>);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reference_out_of_the_document_is_an_error() {
        for outside in
            ["https://example.com/schema.json", "file:///etc/hosts", "common.schema.json"]
        {
            assert!(Compiled::new(json!({"$ref": outside})).is_err(), "{outside}");
        }
        assert!(Compiled::new(json!({"$ref": "#/$defs/A", "$defs": {"A": {}}})).is_ok());
    }

    #[test]
    fn formats_are_asserted_and_must_be_known() {
        let date_time = Compiled::new(json!({"format": "date-time"})).unwrap();
        assert!(date_time.reference.is_valid(&json!("2021-12-01T15:36:42+01:00")));
        assert!(!date_time.reference.is_valid(&json!("2021-12-01T15:36+01:00")));
        assert!(Compiled::new(json!({"format": "dite-tame"})).is_err());
    }

    #[test]
    fn every_embedded_schema_compiles_once() {
        for name in schemas::NAMES {
            for profile in Profile::ALL {
                let compiled = Compiled::embedded(name, profile).unwrap();
                assert!(std::ptr::eq(compiled, Compiled::embedded(name, profile).unwrap()));
            }
        }
        assert!(Compiled::embedded("no-such-schema", Profile::Observed).is_none());
    }
}
