//! The embedded schemas, as the tests look at them.

use std::collections::BTreeMap;

use license_types::schemas::{self, Profile};
use serde_json::{Value, json};

/// Every named schema of a profile by the name of its type, each a document of its own: a root as
/// it is published, a definition as a reference into the `$defs` of a document that has it.
pub(crate) fn by_type(profile: Profile) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    let mut bundles: Vec<Value> = schemas::NAMES.iter().map(|name| bundle(name, profile)).collect();
    // A schema of one profile comes last: what it refers to is of the documented one.
    bundles.sort_by_key(|bundle| !bundle["$id"].to_string().contains(profile.as_str()));
    for bundle in bundles {
        for definition in bundle["$defs"].as_object().into_iter().flat_map(|it| it.keys()) {
            let mut document = json!({"$ref": format!("#/$defs/{definition}")});
            document["$schema"] = bundle["$schema"].clone();
            document["$defs"] = bundle["$defs"].clone();
            all.entry(definition.clone()).or_insert(document);
        }
    }
    for name in schemas::NAMES {
        let bundle = bundle(name, profile);
        let name = pascal(name);
        if bundle["type"] == json!(["object", "null"]) {
            let mut object = bundle.clone();
            object["type"] = json!("object");
            all.insert(name.clone(), object);
            all.insert(format!("{name}Document"), bundle);
        } else {
            all.insert(name, bundle);
        }
    }
    all
}

/// A published schema.
pub(crate) fn bundle(name: &str, profile: Profile) -> Value {
    serde_json::from_str(schemas::text(name, profile).unwrap()).unwrap()
}

/// The reference: draft 2020-12, formats asserted, nothing fetched.
pub(crate) fn validator(schema: &Value) -> jsonschema::Validator {
    let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012);
    options.should_validate_formats(true).build(schema).unwrap()
}

fn pascal(name: &str) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('-').map(capital).collect()
}

#[test]
fn every_example_is_valid() {
    for profile in Profile::ALL {
        for (name, schema) in by_type(profile) {
            let validator = validator(&schema);
            let reference = schema["$ref"].as_str().map(|it| it.trim_start_matches('#'));
            let named = schema.pointer(reference.unwrap_or_default()).unwrap();
            for example in named["examples"].as_array().unwrap() {
                let is_null_of_object = example.is_null() && schema["type"] == "object";
                let valid = validator.is_valid(example) || is_null_of_object;
                assert!(valid, "{profile} {name}: {example}");
            }
        }
    }
}

#[test]
fn a_published_schema_stands_alone() {
    const STANDARD: [&str; 20] = [
        "$schema",
        "$id",
        "$comment",
        "$ref",
        "$defs",
        "title",
        "description",
        "examples",
        "type",
        "enum",
        "const",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "oneOf",
        "pattern",
        "format",
        "minimum",
        "maximum",
    ];
    fn check(schema: &Value, root: &Value) {
        for (keyword, value) in schema.as_object().into_iter().flatten() {
            let lengths = ["minLength", "maxLength"];
            assert!(STANDARD.contains(&keyword.as_str()) || lengths.contains(&keyword.as_str()));
            match keyword.as_str() {
                "$ref" => {
                    let target = value.as_str().unwrap().strip_prefix('#').unwrap();
                    assert!(root.pointer(target).is_some(), "{value} leads nowhere");
                }
                "properties" | "$defs" => {
                    value.as_object().unwrap().values().for_each(|inner| check(inner, root));
                }
                "oneOf" => value.as_array().unwrap().iter().for_each(|inner| check(inner, root)),
                "items" => check(value, root),
                _ => {}
            }
        }
    }
    for profile in Profile::ALL {
        for name in schemas::NAMES {
            let bundle = bundle(name, profile);
            check(&bundle, &bundle);
            jsonschema::meta::validate(&bundle).unwrap();
        }
    }
    assert_eq!(bundle("session", Profile::Observed)["$id"], "urn:license:observed:session");
}
