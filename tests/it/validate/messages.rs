//! Violations are told once, in order, shortly, at the place of the value that is judged.

use license_validate::{Judge, Profile, Validator};
use serde_json::{Value, json};

use super::{check, told};

#[test]
fn places_are_those_of_the_values() {
    let info = "{\n  \"näme\": 1, \"name\": 7,\n  \"products\": [\n    {\"id\": 1,\t\"rights\": [{\"count\": \"é\"}, {\"count\": -1}]}\n  ]\n}";
    let judge = Judge::new(Profile::Observed);
    let lines: Vec<String> = told(&judge, info)
        .0
        .into_iter()
        .filter(|line| !line.contains("missing"))
        .map(|line| line.split_once(": ").unwrap().0.to_owned())
        .collect();
    assert_eq!(
        lines,
        [
            "2:22 /name /properties/name/type",
            "4:36 /products/0/rights/0/count /$defs/RightCount/type",
            "4:52 /products/0/rights/1/count /$defs/RightCount/minimum",
        ]
    );
}

#[test]
fn of_duplicated_members_the_last_is_judged_and_placed() {
    let text = "{\"count\": \"x\",\n \"count\": 1,\n \"c\\u006funt\": -1}";
    let mut info: Value = json!({"name": "", "licenseNumber": "", "version": "", "userName": "",
        "userMail": "", "companyName": "", "platforms": []});
    info["products"] =
        json!([{"id": 1, "name": "", "usedCount": 0, "allowedCount": 0, "rights": []}]);
    let info = info.to_string().replace("[]}]", &format!("[\n{text}]}}]"));
    let (lines, _) = told(&Judge::new(Profile::Observed), &info);
    assert_eq!(
        lines,
        [
            "4:16 /products/0/rights/0/count /$defs/RightCount/minimum: -1 is less than the minimum of 0"
        ]
    );
    let (lines, _) = told(&Judge::new(Profile::Observed), info.replace("-1", "2"));
    assert_eq!(lines, [""; 0]);
}

#[test]
fn members_with_odd_names_are_pointed_at() {
    let problem = json!({"a/b": 1, "m~n": 2, "": 3, "code": 4, "o~1p": 5});
    let found = check("problem", Profile::Documented, &problem.to_string());
    for pointer in ["/a~1b ", "/m~0n ", "/ ", "/o~01p "] {
        assert!(found.iter().any(|line| line.starts_with(pointer)), "{pointer}: {found:#?}");
    }
    let found = Validator::new("problem", Profile::Documented).unwrap();
    let found = found.check(b"{\n \"o~1p\": 5, \"code\": \"internal\"}").unwrap();
    let odd = found.iter().find(|violation| violation.instance_path == "/o~01p").unwrap();
    assert_eq!((odd.line.get(), odd.column.get()), (2, 10));
}

#[test]
fn a_message_never_holds_more_than_the_start_of_a_value() {
    let long = "x".repeat(10_000);
    let usage = json!([
        {"token": long, "time": long, "session": {"type": long, "ID": long, &long: 1}, "reason": [long]},
        long,
        [{"a": long}],
    ]);
    for profile in Profile::ALL {
        let validator = Validator::new("license-usage", profile).unwrap();
        let violations = validator.check(usage.to_string().as_bytes()).unwrap();
        assert!(violations.len() > 8);
        for violation in violations {
            assert!(violation.message.chars().count() < 250, "{}", violation.message);
            let shows_part = violation.message.contains("xxx");
            assert_eq!(violation.message.contains("xxx…"), shows_part, "{}", violation.message);
        }
    }
}

#[test]
fn masked_messages_hold_no_value() {
    let number = 77_345_611;
    let text = "Sentinel-of-a-value";
    let schema = |name, profile| Validator::new(name, profile).unwrap().masked(true);
    let mut seen = 0;
    // Each value in every place of an example, so that every rule is broken.
    for name in license_types::schemas::NAMES {
        for profile in Profile::ALL {
            let bundle = license_types::schemas::text(name, profile).unwrap();
            let bundle: Value = serde_json::from_str(bundle).unwrap();
            for example in bundle["examples"].as_array().unwrap() {
                let mut pointers = Vec::new();
                every_pointer(example, String::new(), &mut pointers);
                for pointer in pointers {
                    for value in [json!(number), json!(text), json!(-0.5 - f64::from(number))] {
                        let mut document = example.clone();
                        *document.pointer_mut(&pointer).unwrap() = value;
                        let document = document.to_string();
                        for it in schema(name, profile).check(document.as_bytes()).unwrap() {
                            assert!(!it.message.contains(text), "{}", it.message);
                            assert!(!it.message.contains("77345611"), "{}", it.message);
                            seen += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(seen > 1000, "{seen}");
}

fn every_pointer(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(name, inner)| every_pointer(inner, format!("{at}/{name}"), found)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, inner)| every_pointer(inner, format!("{at}/{index}"), found)),
        _ => {}
    }
    found.push(at);
}

#[test]
fn schema_places_point_into_the_printed_schema() {
    for name in license_types::schemas::NAMES {
        for profile in Profile::ALL {
            let bundle = license_types::schemas::text(name, profile).unwrap();
            let bundle: Value = serde_json::from_str(bundle).unwrap();
            for document in ["7", "{}", "[{}]", r#"{"session": {"type": 1, "sessionID": 2}}"#] {
                let validator = Validator::new(name, profile).unwrap();
                for it in validator.check(document.as_bytes()).unwrap() {
                    assert!(bundle.pointer(&it.schema_path).is_some(), "{name}: {it:?}");
                }
            }
        }
    }
}

#[test]
fn an_unknown_schema_is_refused_with_those_there_are() {
    let error = Validator::new("license", Profile::Observed).unwrap_err().to_string();
    assert!(error.starts_with("no schema is called `license`; there are "), "{error}");
    assert!(error.contains("license-usage"), "{error}");
}
