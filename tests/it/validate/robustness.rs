//! Whatever the bytes: no panic, the verdict of the reference validator, places that are true.

use std::ops::ControlFlow;

use license_types::{documented, observed, schemas};
use license_validate::{
    Document, EXPLAINED_MAX, Judge, Malformed, Notice, Profile, Unfit, Validator, parse,
};
use serde_json::Value;

const RETENTION: &str = r#"{"productId":1,"productName":"","productUsedCount":1,"productBalance":0,"token":1,"time":"2021-12-01T15:36Z","reason":"","session":{"IPAddress":"","userAgent":"","userName":"","userId":1}}"#;
const PUBLISHED: &str = include_str!("../../data/validate/published-element.json");

/// A schema as the reference validator alone judges it.
struct Reference {
    name: &'static str,
    profile: Profile,
    validator: jsonschema::Validator,
}

impl Reference {
    fn new(name: &'static str, profile: Profile) -> Reference {
        let schema = serde_json::from_str(schemas::text(name, profile).unwrap()).unwrap();
        let options = jsonschema::options().should_validate_formats(true);
        Reference { name, profile, validator: options.build(&schema).unwrap() }
    }

    /// Judges the bytes in every way that we offer; whether they are JSON, and valid.
    fn compare<T: Document>(&self, bytes: &[u8]) -> Option<bool> {
        let Reference { name, profile, validator } = self;
        let text = String::from_utf8_lossy(bytes);
        let checked = Validator::new(name, *profile).unwrap().check(bytes);
        let streamed = Judge::new(*profile).schema(name).unwrap();
        let streamed = streamed.read(bytes, |_| ControlFlow::Continue(())).unwrap();
        let typed = parse::<T>(bytes);
        let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
            let malformed = checked.expect_err(&text);
            place(bytes, &malformed);
            assert!(matches!(typed, Err(Unfit::Malformed(_))), "{text}");
            return None;
        };
        let valid = validator.is_valid(&value);
        let violations = checked.expect(&text);
        assert_eq!(violations.is_empty(), valid, "{text}");
        assert_eq!(typed.is_ok(), valid, "{text}");
        assert_eq!(
            (streamed.malformed, streamed.violations),
            (0, violations.len() as u64),
            "{text}"
        );
        let mut last = 0;
        for it in violations {
            let offset = offset(&text, it.line.get(), it.column.get());
            assert!(last <= offset, "{text}: {it:?}");
            last = offset;
            let mut values = serde_json::Deserializer::from_str(&text[offset..]).into_iter();
            let there: Value = values.next().unwrap().unwrap();
            assert_eq!(Some(&there), value.pointer(&it.instance_path), "{text}: {it:?}");
        }
        Some(valid)
    }
}

fn place(bytes: &[u8], malformed: &Malformed) {
    let lines = bytes.iter().filter(|&&byte| byte == b'\n').count() as u64 + 1;
    assert!((1..=lines).contains(&malformed.line), "{malformed}");
    assert!((1..=bytes.len() as u64 + 1).contains(&malformed.column), "{malformed}");
}

fn offset(text: &str, line: u64, column: u64) -> usize {
    let lines = text.split_inclusive('\n').take(line as usize - 1).map(str::len).sum::<usize>();
    let rest = text[lines..].chars().take(column as usize - 1).map(char::len_utf8);
    lines + rest.sum::<usize>()
}

/// Calls `act` with every schema that the fleet's archives hold, and its examples.
fn for_each_schema(act: impl Fn(&dyn Fn(&[u8]) -> Option<bool>, &str)) {
    fn one<T: Document>(act: &impl Fn(&dyn Fn(&[u8]) -> Option<bool>, &str)) {
        let reference = Reference::new(T::SCHEMA, T::PROFILE);
        let schema = schemas::text(T::SCHEMA, T::PROFILE).unwrap();
        let schema: Value = serde_json::from_str(schema).unwrap();
        let compare = |bytes: &[u8]| reference.compare::<T>(bytes);
        for example in schema["examples"].as_array().unwrap() {
            act(&compare, &example.to_string());
            act(&compare, &serde_json::to_string_pretty(example).unwrap());
        }
        act(&compare, PUBLISHED);
    }
    one::<documented::LicenseUsage>(&act);
    one::<observed::LicenseUsage>(&act);
    one::<documented::LicenseInfoDocument>(&act);
    one::<observed::LicenseInfoDocument>(&act);
    one::<documented::Entry>(&act);
    one::<observed::Session>(&act);
}

#[test]
fn a_document_that_is_cut_anywhere_is_judged() {
    for_each_schema(|compare, text| {
        let text = text.replace("  ", "");
        for cut in 0..text.len() {
            compare(&text.as_bytes()[..cut]);
        }
    });
}

#[test]
fn broken_bytes_are_judged_as_the_reference_does() {
    for_each_schema(|compare, text| {
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..250 {
            let mut bytes = text.as_bytes().to_vec();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(0..=bytes.len());
                match random.u8(0..4) {
                    0 => bytes.insert(at, random.u8(..)),
                    1 => drop(bytes.drain(at..bytes.len().min(at + random.usize(1..20)))),
                    2 if at < bytes.len() => bytes[at] ^= 1 << random.u8(0..8),
                    _ => {
                        let from = random.usize(0..=bytes.len());
                        let part = bytes[from..bytes.len().min(from + 30)].to_vec();
                        bytes.splice(at..at, part);
                    }
                }
            }
            compare(&bytes);
        }
    });
}

#[test]
fn odd_values_are_judged_as_the_reference_does() {
    // What readers of JSON differ in: see the pitfalls of integers, members and text.
    const ODD: &[&str] = &[
        "null",
        "true",
        "[]",
        "{}",
        "0",
        "-0",
        "1.0",
        "1e0",
        "15e-1",
        "32767",
        "32768",
        "-1",
        "1e19",
        "9007199254740991",
        "9007199254740992",
        "18446744073709551616",
        "1e308",
        "\"\"",
        "\"é\"",
        "\"\\u0041\"",
        "\"2021-12-01T15:36:42Z\"",
        "\"2021-02-30T15:36:42Z\"",
        "\"remote\"",
        "\"2021-12-01T15:36+01:00\"",
        "\"3c81a8d7-afe6-4c2e-9ccf-fcdc35dc52f5\"",
        "\"standalone\"",
        "{\"type\":\"web\",\"ID\":1}",
        "{\"kind\":\"moved\",\"sessionIds\":[\"a b\"]}",
        "[{},[]]",
    ];
    const MEMBERS: &[&str] = &[
        "\"a\":1,",
        "\"token\":1,",
        "\"t\\u0079pe\":\"rest\",",
        "\"userId\":1,",
        "\"session\":{},",
        "\"isDatastore\":true,",
        "\"products\":[],",
        "\"day\":31,",
        "\"kind\":\"adopted\",",
        "\"\":0,",
    ];
    let (valid, invalid) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    for_each_schema(|compare, text| {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..250 {
            let mut mutant = text.to_owned();
            for _ in 0..random.usize(1..4) {
                let colons: Vec<usize> = mutant.match_indices(':').map(|(at, _)| at + 1).collect();
                let braces: Vec<usize> = mutant.match_indices('{').map(|(at, _)| at + 1).collect();
                if random.bool() && !colons.is_empty() {
                    let at = colons[random.usize(0..colons.len())];
                    let mut values = serde_json::Deserializer::from_str(&mutant[at..]).into_iter();
                    if values.next().is_some_and(|value: Result<Value, _>| value.is_ok()) {
                        let end = at + values.byte_offset();
                        mutant.replace_range(at..end, ODD[random.usize(0..ODD.len())]);
                    }
                } else if !braces.is_empty() {
                    let at = braces[random.usize(0..braces.len())];
                    mutant.insert_str(at, MEMBERS[random.usize(0..MEMBERS.len())]);
                } else {
                    mutant = ODD[random.usize(0..ODD.len())].to_owned();
                }
            }
            match compare(mutant.as_bytes()) {
                Some(true) => valid.set(valid.get() + 1),
                Some(false) => invalid.set(invalid.get() + 1),
                None => {}
            }
        }
    });
    println!("{} valid, {} invalid", valid.get(), invalid.get());
    assert!(valid.get() > 300 && invalid.get() > 5_000);
}

#[test]
fn nesting_beyond_the_limit_is_malformed_wherever_it_stands() {
    let validator = Validator::new("license-info", Profile::Observed).unwrap();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for depth in [126, 127, 128, 129, 200_000] {
            let text = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let is_json = serde_json::from_str::<Value>(&text).is_ok();
            assert_eq!(is_json, depth < 128);
            assert_eq!(validator.check(text.as_bytes()).is_ok(), is_json, "{depth}");
            for lines in [true, false] {
                let judge = Judge::new(Profile::Observed).lines(lines);
                let judge = judge.schema("license-usage").unwrap();
                let summary = judge.read(text.as_bytes(), |_| ControlFlow::Continue(())).unwrap();
                assert_eq!(summary.malformed == 0, is_json, "{depth}");
            }
        }
    }
}

#[test]
fn a_number_may_have_any_number_of_digits_and_a_value_that_a_double_holds() {
    let validator = Validator::new("availability", Profile::Documented).unwrap();
    let check = |count: &str| {
        let text = format!(
            r#"{{"available":true,"productId":1,"allowedCount":{count},"usedCount":1,"productBalance":0}}"#
        );
        validator.check(text.as_bytes()).map(|violations| violations.len())
    };
    let zeros = "0".repeat(1_000_000);
    for one in [format!("1.{zeros}"), format!("0.{zeros}1e1000001"), format!("1e{zeros}")] {
        assert_eq!(check(&one), Ok(0), "{}", &one[..9]);
    }
    assert_eq!(check(&format!("0.{zeros}1")), Ok(0)); // a double takes it for 0
    assert_eq!(check(&format!("1{}", &zeros[..300])), Ok(1));
    for beyond in [format!("1{zeros}"), format!("-1{zeros}"), "1e309".to_owned()] {
        let error = check(&beyond).unwrap_err();
        assert_eq!(error.problem.to_string(), "the number is out of range");
    }
}

#[test]
fn of_a_large_document_that_is_invalid_the_beginning_is_explained() {
    let validator = Validator::new("license-info", Profile::Observed).unwrap();
    let products = |count: usize| format!(r#"{{"products":[{}]}}"#, vec!["{}"; count].join(","));
    let violations = validator.check(products(100).as_bytes()).unwrap();
    let root = violations.iter().filter(|it| it.instance_path.is_empty()).count();
    let each = (violations.len() - root) / 100;
    assert!(root > 0 && each > 1 && violations.len() == root + 100 * each);
    let violations = validator.check(products(20_000).as_bytes()).unwrap();
    assert_eq!(violations.len(), EXPLAINED_MAX);

    // What is wrong behind that beginning is not told in its place, but it is told.
    let mut records = vec![RETENTION.to_owned(); EXPLAINED_MAX + 2];
    *records.last_mut().unwrap() = RETENTION.replace("\"token\":1", "\"token\":0");
    let usage = format!("[{}]", records.join(","));
    let validator = Validator::new("license-usage", Profile::Observed).unwrap();
    let [violation] = &validator.check(usage.as_bytes()).unwrap()[..] else { panic!() };
    assert_eq!(violation.message, "it is invalid behind the first 16384 elements in it");
    let mut found = Vec::new();
    let read = Judge::new(Profile::Observed).read(usage.as_bytes(), |notice| {
        if let Notice::Violation(violation) = notice {
            found.push(violation.instance_path);
        }
        ControlFlow::Continue(())
    });
    assert_eq!((read.unwrap().violations, &found[..]), (1, &["/16385/token".to_owned()][..]));
}
