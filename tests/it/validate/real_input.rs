//! What servers really write: the observed profile reads it, the documented one names each difference.

use license_types::observed;
use license_validate::{Judge, Profile, parse};

use super::told;

const PUBLISHED: &str = include_str!("../../data/validate/published-element.json");

#[test]
fn the_published_element_is_observed_and_not_documented() {
    let (lines, summary) = told(&Judge::new(Profile::Observed), PUBLISHED);
    assert_eq!(lines, [""; 0]);
    assert_eq!((summary.records, summary.valid), (1, 1));

    let (lines, summary) = told(&Judge::new(Profile::Documented), PUBLISHED);
    assert_eq!(
        lines,
        [
            "2:3 /0 /$defs/Retention/required: \"globalProductUsedCount\" is missing",
            "17:27 /0/session/creationDateTime /$defs/DateTime/pattern: \"2021-12-01T15:36+01:00\" \
             is no Date and time: An instant with its offset (RFC 3339); the observed profile also \
             reads one without seconds [ClientSession]",
        ]
    );
    assert_eq!((summary.records, summary.valid, summary.violations), (1, 0, 2));
}

#[test]
fn the_observed_profile_reads_what_the_documented_one_refuses() {
    let with_mark = format!("\u{feff}{PUBLISHED}");
    assert_eq!(told(&Judge::new(Profile::Observed), &with_mark).0, [""; 0]);
    let usage = parse::<observed::LicenseUsage>(with_mark.as_bytes()).unwrap().unwrap();
    assert_eq!(usage[0].token.get(), 1);

    assert_eq!(told(&Judge::new(Profile::Observed), "null").0, [""; 0]);
    assert_eq!(
        told(&Judge::new(Profile::Documented), "null").0,
        ["1:1  /type: null is not an array"]
    );
    for profile in Profile::ALL {
        let judge = Judge::new(profile).schema("license-info").unwrap();
        assert_eq!(told(&judge, "null").0, [""; 0]);
    }

    assert!(PUBLISHED.contains("\"IPAddress\": \"localhost\""));
    let unnamed = PUBLISHED.replace("\"systemUserName\": \"ann\",", "").replace("WS-12", "");
    assert_eq!(told(&Judge::new(Profile::Observed), unnamed).0, [""; 0]);
}

#[test]
fn every_example_of_every_schema_is_valid() {
    use license_types::schemas;
    let mut count = 0;
    for name in schemas::NAMES {
        for profile in Profile::ALL {
            let schema: serde_json::Value =
                serde_json::from_str(schemas::text(name, profile).unwrap()).unwrap();
            for example in schema["examples"].as_array().unwrap() {
                let judge = Judge::new(profile).schema(name).unwrap();
                assert_eq!(told(&judge, example.to_string()).0, [""; 0], "{name}: {example}");
                count += 1;
            }
        }
    }
    assert!(count > 30, "{count} examples");
}
