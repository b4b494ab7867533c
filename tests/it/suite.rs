//! The official JSON Schema test suite (draft 2020-12), where one of its groups says what a place of
//! our schemas says too. Most groups cannot: the generator wants every shape named and bounded.
//!
//! The suite is not ours to keep: `LICENSE_JSON_SCHEMA_SUITE` names the directory of its draft.

use std::{fs, io::Write as _, path::PathBuf};

use license_tests::differential::Subject;
use license_types::schemas::Profile;
use serde_json::Value;

/// Of a group, by file and description: the schema and the document in which its values stand for @.
const PLACES: [(&str, &str, &str, &str); 6] = [
    (
        "type.json",
        "integer type matches integers",
        "availability",
        r#"{"available":true,"productId":@,"allowedCount":1,"usedCount":1,"productBalance":0}"#,
    ),
    (
        "type.json",
        "string type matches strings",
        "session",
        r#"{"userName":@,"sessionID":"8F","IPAddress":"::1","isDatastore":false}"#,
    ),
    (
        "type.json",
        "boolean type matches booleans",
        "session",
        r#"{"userName":"Eve","sessionID":"8F","IPAddress":"::1","isDatastore":@}"#,
    ),
    ("type.json", "array type matches arrays", "release-receipt", r#"{"released":@}"#),
    (
        "type.json",
        "null type matches only the null object",
        "retain-receipt",
        r#"{"retention":{"productId":1,"productName":"","productUsedCount":1,"productBalance":0,
            "globalProductUsedCount":1,"token":1,"time":"2021-12-01T15:40:00Z","reason":"","session":
            {"userName":"","sessionID":"","IPAddress":"","isDatastore":false}},"lease":@}"#,
    ),
    (
        "optional/format/date-time.json",
        "validation of date-time strings",
        "release-receipt",
        r#"{"released":[{"productId":1,"token":1,"time":@,"cause":"released"}]}"#,
    ),
];

#[test]
fn the_official_suite_is_passed_where_it_applies() {
    let Some(suite) = suite() else { return };
    let mut count = 0;
    for (file, description, schema, document) in PLACES {
        let groups = fs::read_to_string(suite.join(file)).unwrap();
        let groups: Vec<Value> = serde_json::from_str(&groups).unwrap();
        let group = groups.iter().find(|group| group["description"] == description).unwrap();
        let subject = Subject::new(schema, Profile::Documented);
        for test in group["tests"].as_array().unwrap() {
            // A format alone says nothing of other types; our texts have a type as well.
            if group["schema"]["format"].is_string() && !test["data"].is_string() {
                continue;
            }
            let document = document.replacen('@', &test["data"].to_string(), 1);
            let tally = subject.judge(document.as_bytes(), true).unwrap();
            let is_valid = tally.accepted + tally.doubted == 1;
            assert_eq!(test["valid"], is_valid, "{file}: {description}: {test}");
            count += 1;
        }
    }
    println!("{} groups of the suite apply, {count} tests", PLACES.len());
    assert!(count > 60, "{count}");
}

fn suite() -> Option<PathBuf> {
    let suite = std::env::var_os("LICENSE_JSON_SCHEMA_SUITE").map(PathBuf::from);
    if suite.is_none() {
        let missing = "LICENSE_JSON_SCHEMA_SUITE does not say where the JSON Schema test suite is";
        let required = std::env::var("LICENSE_REQUIRE_COMPONENTS").is_ok_and(|value| value == "1");
        assert!(!required, "{missing}");
        // Past the capture of the test runner: nobody may believe that this was tested.
        let _ = writeln!(std::io::stderr().lock(), "\nNOT TESTED ON THE SUITE: {missing}");
    }
    suite
}
