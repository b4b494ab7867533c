//! Schemas derived back from the generated types accept what the source schemas accept.
//!
//! Containment is proven both ways where the tool can. It cannot see through a union, so there the
//! proof has three parts: what refers to a union is proven with the same stand-in for it on both
//! sides; a union has the same branches on both sides, each proven on its own; and no value is of
//! two branches, so that "exactly one" and "any" are the same. Mutants show that the parts add up.

use std::collections::BTreeMap;

use jsonschema::canonical::{self, CanonicalSchema, Containment, Satisfiability};
use license_types::schemas::Profile;
use schemars::generate::Contract;
use serde_json::{Value, json};

use super::bundles::{by_type, validator};
use super::catalog::{Entry, catalog};
use super::mutants::{Mutator, text};

#[test]
fn derived_schemas_accept_what_the_sources_accept() {
    let schemas = BTreeMap::from(Profile::ALL.map(|profile| (profile, by_type(profile))));
    let mut counts = Counts::default();
    for entry in catalog() {
        let source = &schemas[&entry.profiles[0]][entry.name];
        let derived = (entry.derive)(Contract::Serialize);
        assert_eq!(derived, (entry.derive)(Contract::Deserialize), "one type, one contract");
        let how = if both_ways(source, &derived) {
            counts.directly += 1;
            "proven"
        } else {
            agree_on_mutants(&entry, source, &derived, &mut counts);
            if let Some(branches) = branches(source, "oneOf") {
                assert_eq!(Some(&branches), self::branches(&derived, "anyOf").as_ref());
                assert_disjoint(source, &branches);
                counts.unions += 1;
                "proven branch by branch, and shown on mutants"
            } else {
                let proven = both_ways(&with_stand_ins(source), &with_stand_ins(&derived));
                assert!(proven, "{} differs: {derived:#}", entry.name);
                counts.around_unions += 1;
                "proven around its unions, and shown on mutants"
            }
        };
        println!("{:<20} {:?}: {how}", entry.name, entry.profiles);
    }
    println!("{counts:?}");
    assert!(counts.directly > 2 * counts.around_unions && counts.mutants > 10_000);
}

#[derive(Debug, Default)]
struct Counts {
    directly: usize,
    around_unions: usize,
    unions: usize,
    mutants: usize,
}

/// Whether each is proven to accept all that the other accepts.
fn both_ways(source: &Value, derived: &Value) -> bool {
    let (source, derived) = (canonical(source), canonical(derived));
    let covers = [source.covers(&derived), derived.covers(&source)];
    covers.into_iter().all(|answer| match answer.unwrap() {
        Containment::Yes => true,
        Containment::Unknown => false,
        Containment::No => panic!("differs: {:#}", derived.to_json_schema()),
    })
}

fn canonical(schema: &Value) -> CanonicalSchema {
    canonical::options().should_validate_formats(true).canonicalize(schema).unwrap()
}

/// The references in a union at the root.
fn branches(document: &Value, keyword: &str) -> Option<Vec<Value>> {
    let root = match document["$ref"].as_str() {
        Some(target) => document.pointer(&target[1..]).unwrap(),
        None => document,
    };
    let branches = root[keyword].as_array()?;
    Some(branches.iter().map(|branch| branch["$ref"].clone()).collect())
}

fn assert_disjoint(document: &Value, branches: &[Value]) {
    let branch = |target: &Value| {
        canonical(&json!({"$ref": target, "$defs": with_stand_ins(document)["$defs"]}))
    };
    for (index, one) in branches.iter().enumerate() {
        for other in &branches[..index] {
            let both = branch(one).intersect(&branch(other)).unwrap();
            assert_eq!(both.satisfiability(), Satisfiability::No, "{one} and {other} overlap");
        }
    }
}

/// The document with something plain in the place of each union.
fn with_stand_ins(document: &Value) -> Value {
    let mut document = document.clone();
    for (name, definition) in document["$defs"].as_object_mut().into_iter().flatten() {
        // An enumeration of words is derived as one of several constants: that is no union.
        if [&definition["oneOf"][0], &definition["anyOf"][0]]
            .iter()
            .any(|it| it["$ref"].is_string())
        {
            *definition = json!({"const": format!("a stand-in for {name}")});
        }
    }
    document
}

fn agree_on_mutants(entry: &Entry, source: &Value, derived: &Value, counts: &mut Counts) {
    let validators = [validator(source), validator(derived)];
    for mutant in Mutator::new(source).all() {
        let Ok(value) = serde_json::from_str(&text(&mutant)) else { continue };
        counts.mutants += 1;
        let [source, derived] = validators.each_ref().map(|it| it.is_valid(&value));
        assert_eq!(source, derived, "{}: {value}", entry.name);
    }
}
