//! The bar: every type reads exactly what its schema accepts, and writes the same value back.

use std::collections::{BTreeMap, BTreeSet};

use license_types::schemas::Profile;
use serde_json::Value;

use super::bundles::{by_type, validator};
use super::catalog::{Entry, catalog};
use super::mutants::{Mutator, text};

#[test]
fn a_type_accepts_what_its_schema_accepts_and_writes_it_back() {
    let schemas = BTreeMap::from(Profile::ALL.map(|profile| (profile, by_type(profile))));
    let mut counts = Counts::default();
    for entry in catalog() {
        let [documented, observed] = Profile::ALL.map(|it| &schemas[&it][entry.name]);
        let validators = [validator(documented), validator(observed)];
        if entry.profiles.len() > 1 {
            assert_eq!(documented["type"], observed["type"], "one type serves both");
        }
        let schema = &schemas[&entry.profiles[0]][entry.name];
        let texts: BTreeSet<String> = Mutator::new(schema).all().iter().map(text).collect();
        let mut accepted = 0;
        for text in &texts {
            accepted += usize::from(judge(&entry, text, &validators, &mut counts));
        }
        println!(
            "{:<20} {:<10} {:>6} mutants, {:>5} accepted",
            entry.name,
            if let [only] = entry.profiles { only.as_str() } else { "both" },
            texts.len(),
            accepted
        );
        assert!(accepted > 0 && accepted < texts.len(), "{} is judged on one side", entry.name);
        counts.types += 1;
        counts.mutants += texts.len();
        counts.accepted += accepted;
    }
    let faults = std::mem::take(&mut counts.faults);
    println!("{counts:#?}, {} faults", faults.len());
    assert!(faults.is_empty(), "{:#?}", &faults[..faults.len().min(20)]);
    assert!(counts.mutants > MUTANTS && counts.accepted > ACCEPTED, "the test became vacuous");
}

/// Floors, a little below what the schemas gave when this was written.
const MUTANTS: usize = 45_000;
const ACCEPTED: usize = 9_000;

#[derive(Debug, Default)]
struct Counts {
    types: usize,
    mutants: usize,
    accepted: usize,
    not_json: usize,
    converted: usize,
    faults: Vec<String>,
}

/// Judges one text by the validators of both profiles; gives whether the schema accepts it.
fn judge(
    entry: &Entry,
    text: &str,
    [documented, observed]: &[jsonschema::Validator; 2],
    counts: &mut Counts,
) -> bool {
    let mut fault = |what: &str| {
        counts.faults.push(format!("{what}: {:?} {}: {text}", entry.profiles, entry.name));
    };
    let read = (entry.read)(text);
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        counts.not_json += 1;
        if read.is_ok() {
            fault("accepted although it is no JSON");
        }
        return false;
    };
    let (documented, observed) = (documented.is_valid(&value), observed.is_valid(&value));
    if documented && !observed {
        fault("valid in the documented profile and not in the observed one");
    }
    let accepted = match entry.profiles {
        [Profile::Documented] => documented,
        [Profile::Observed] => observed,
        _ => {
            if documented != observed {
                fault("the profiles share a type and differ");
            }
            documented
        }
    };
    match (&read, accepted) {
        (Ok(_), false) => fault("false accept"),
        (Err(error), true) => fault(&format!("false reject ({error})")),
        (Err(_), false) => {}
        (Ok(written), true) => {
            let back: Value = serde_json::from_str(written).unwrap();
            if !same(&value, &back) {
                fault(&format!("written back as another value ({written})"));
            }
            if let Some(convert) = entry.convert {
                counts.converted += 1;
                if convert(text) != (documented && observed) {
                    fault("converts to the other profile although it is not valid there, or not");
                }
            }
        }
    }
    accepted
}

/// Equality of JSON values, where `15.0` is `15`.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64() == other.as_f64()
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|it| same(one, it)))
        }
        _ => one == other,
    }
}

#[test]
fn every_named_schema_has_a_type_and_every_type_a_schema() {
    for profile in Profile::ALL {
        let types: BTreeSet<String> = catalog()
            .iter()
            .filter(|entry| entry.profiles.contains(&profile))
            .map(|entry| entry.name.to_owned())
            .collect();
        let mut schemas: BTreeSet<String> = by_type(profile).into_keys().collect();
        schemas.extend(by_type(Profile::Documented).into_keys());
        assert_eq!(types, schemas);
    }
}
