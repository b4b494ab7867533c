//! The schema that a page describes, held against the checked one.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect_file;
use serde_json::{Value, json};

use super::*;
use crate::pages::compare::agrees;
use crate::pages::derive::derive;
use crate::pages::expect::Schemas;
use crate::pages::model::Object;

fn derived(text: &str) -> Value {
    derive(&examine(text, &COMMANDS).unwrap().0).unwrap()
}

#[test]
fn every_edition_and_language_describes_the_same_schema() {
    for command in ["license-usage", "license-info"] {
        let all: BTreeSet<String> = current_files()
            .iter()
            .filter(|file| name(file).starts_with(command) && !name(file).contains("usage.es"))
            .map(|file| format!("{:#}\n", derived(&fs::read_to_string(file).unwrap())))
            .collect();
        assert_eq!(all.len(), 1);
        let golden = format!("../../../../tests/data/pages/derived/{command}.schema.json");
        expect_file![golden].assert_eq(all.first().unwrap());
    }
}

#[test]
fn the_checked_schema_agrees_with_the_derived_one() {
    for file in current_files() {
        let text = fs::read_to_string(&file).unwrap();
        let schema = derived(&text);
        let derived = Schemas(BTreeMap::from([("derived".to_owned(), schema)]));
        let command = examine(&text, &COMMANDS).unwrap().0.command;
        for object in &command.objects {
            let place = match object.key.as_str() {
                "LicenseInfo" => "derived".to_owned(),
                key => format!("derived#/$defs/{key}"),
            };
            let described = derived.object(&place, &object.key).unwrap();
            assert_same(&described, object, &name(&file));
        }
    }
}

fn assert_same(derived: &Object, checked: &Object, file: &str) {
    let names = |object: &Object| -> Vec<_> {
        object.properties.iter().map(|p| (p.name.clone(), p.optional)).collect()
    };
    assert_eq!(names(derived), names(checked), "{file}");
    for (derived, checked) in derived.properties.iter().zip(&checked.properties) {
        assert!(agrees(&derived.kind, &checked.kind), "{file}: {}", derived.name);
        assert_eq!(derived.kind.object_keys(), checked.kind.object_keys(), "{file}");
    }
}

/// The examples also hold what no page lists, such as a session's token; that is taken out.
#[test]
fn the_examples_of_the_checked_schema_are_valid_by_the_derived_one() {
    for (page_name, schema) in
        [("license-usage.en.md", "license-usage"), ("license-info.fr.md", "license-info")]
    {
        let derived = derived(&page(page_name));
        jsonschema::meta::validate(&derived).unwrap();
        let validator =
            jsonschema::options().should_validate_formats(true).build(&derived).unwrap();
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas");
        let text = fs::read_to_string(directory.join(format!("{schema}.schema.json"))).unwrap();
        let schema: Value = serde_json::from_str(&text).unwrap();
        for example in schema["examples"].as_array().unwrap() {
            let mut example = example.clone();
            for record in example.as_array_mut().into_iter().flatten() {
                record["session"].as_object_mut().unwrap().remove("licenseToken");
            }
            let errors: Vec<_> = validator.iter_errors(&example).map(|e| e.to_string()).collect();
            assert_eq!(errors, Vec::<String>::new(), "{example}");
        }
    }
}

#[test]
fn what_a_page_lists_twice_is_in_the_schema_once() {
    let text = page("license-usage.en.md");
    let row = text.lines().find(|line| line.starts_with("| userId ")).unwrap();
    for again in [row, "| userId | Text | Again (optional) |"] {
        let derived = derived(&with(&text, row, &format!("{row}\n{again}")));
        jsonschema::meta::validate(&derived).unwrap();
        let sql = &derived["$defs"]["SqlSession"];
        assert_eq!(sql["properties"]["userId"], json!({"type": "number"}));
        assert_eq!(sql["required"], json!(["IPAddress", "userAgent", "userName", "userId"]));
    }
}

#[test]
fn a_page_that_cannot_be_derived_from_says_why() {
    let text = page("license-usage.en.md");
    for (old, new, why) in [
        ("isDatastore", "isData", ""),
        (
            "| Boolean  |",
            "| Truth    |",
            "line 70: `isDatastore` has `Truth`, a type that xtask/src/pages/words.rs does not know",
        ),
        ("#### A session of REST", "<!--", "it lacks the table of REST session; see"),
    ] {
        let text = format!("{}-->", with(&text, old, new));
        let said = match derive(&examine(&text, &COMMANDS).unwrap().0) {
            Ok(_) => String::new(),
            Err(error) => format!("{error:#}"),
        };
        assert!(said.starts_with(why) && said.is_empty() == why.is_empty(), "{said}");
    }
}
