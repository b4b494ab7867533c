//! A session is judged as the shape that it is nearest to; an event as the kind that it says.

use license_types::{FromJson, documented, observed};
use license_validate::{Profile, Validator};
use serde_json::{Value, json};

use super::check;

const CLIENT: &str = r#"{"type": "remote", "userName": "Ann", "machineName": "WS-12",
    "systemUserName": "ann", "IPAddress": "192.0.2.12", "hostType": "mac",
    "creationDateTime": "2021-12-01T15:36:40+01:00", "state": "active",
    "ID": "3C81A8D7AFE64C2E9CCFFCDC35DC52F5", "persistentID": "0B6F0A6D2E4B4A1D8E8A4D4D1B1C9F77"}"#;
const REST: &str = r#"{"userName": "Eve", "sessionID": "8F3E", "IPAddress": "::1",
    "isDatastore": false}"#;

/// The session, changed: members that are null are dropped.
fn changed(session: &str, change: Value) -> String {
    let mut session: Value = serde_json::from_str(session).unwrap();
    for (name, value) in change.as_object().unwrap() {
        match value {
            Value::Null => drop(session.as_object_mut().unwrap().shift_remove(name)),
            value => session[name] = value.clone(),
        }
    }
    session.to_string()
}

#[track_caller]
fn nearest(profile: Profile, session: &str) -> Vec<String> {
    let violations = Validator::new("session", profile).unwrap().check(session.as_bytes()).unwrap();
    assert!(!violations.is_empty());
    violations
        .iter()
        .map(|it| {
            format!("{} {} {}", it.shape.as_deref().unwrap_or("-"), it.instance_path, it.message)
        })
        .collect()
}

#[test]
fn only_the_faults_of_the_nearest_shape_are_told() {
    let session = changed(CLIENT, json!({"ID": "x", "hostType": "linux", "userName": 7}));
    for profile in Profile::ALL {
        assert_eq!(
            nearest(profile, &session),
            [
                "ClientSession /userName 7 is not a string",
                "ClientSession /hostType \"linux\" is not one of \"windows\", \"mac\", \"browser\"",
                "ClientSession /ID \"x\" is no UUID: 32 hexadecimal digits, with or without dashes",
            ]
        );
    }
}

#[test]
fn a_shape_is_told_by_its_own_members() {
    let session = changed(REST, json!({"sessionID": null, "userId": null}));
    for profile in Profile::ALL {
        assert_eq!(nearest(profile, &session), ["RestSession  \"sessionID\" is missing"]);
    }
    // However much it shares with another.
    let session = changed(CLIENT, json!({"type": null, "ID": null, "sessionID": "8F3E"}));
    for profile in Profile::ALL {
        assert!(nearest(profile, &session)[0].starts_with("RestSession "));
    }
    // A member of another shape does not make it that shape.
    let session = changed(CLIENT, json!({"sessionID": "8F3E"}));
    for profile in Profile::ALL {
        assert_eq!(
            nearest(profile, &session),
            ["ClientSession /sessionID \"sessionID\" is not allowed here"]
        );
    }
}

#[test]
fn shared_names_decide_where_nothing_tells() {
    let session = changed(CLIENT, json!({"type": null, "ID": null}));
    assert_eq!(
        nearest(Profile::Observed, &session),
        ["ClientSession  \"type\" is missing", "ClientSession  \"ID\" is missing"]
    );
}

#[test]
fn a_session_that_is_near_to_no_shape_says_what_tells_them() {
    let told_by = "is of no known shape: Session of a 4D client, told by `type` and `ID`; Session \
                   of an SQL client, told by `userAgent` and `userId`; Session of a REST client, \
                   told by `sessionID` and `isDatastore`";
    for session in ["{}", r#"{"userName": "Ann", "IPAddress": "::1"}"#] {
        assert_eq!(nearest(Profile::Observed, session), [format!("-  an object {told_by}")]);
    }
    assert_eq!(nearest(Profile::Observed, "7"), [format!("-  7 {told_by}")]);
}

#[test]
fn an_event_is_judged_as_the_kind_that_it_says() {
    let entry = |event: Value| {
        let batch = "5f0c6a1e9b7d4c3a8e2f1d0b9a8c7e6f";
        let entry = json!({"sequence": 2, "time": "2026-01-05T10:02:00.000Z", "server": "local",
            "epoch": 0, "batch": batch, "event": event, "chain": batch.repeat(2)});
        check("entry", Profile::Documented, &entry.to_string())
    };
    let released = json!({"kind": "released", "token": 0, "sessionId": "job-7", "productId": 1});
    assert_eq!(
        entry(released),
        ["/event \"cause\" is missing", "/event/token 0 is less than the minimum of 1"]
    );
    let kinds = r#"one of "installed", "uninstalled", "retained", "released", "refused", "state_changed", "described", "moved", "adopted", "clock_corrected""#;
    let kinds = kinds.split(" or ").next().unwrap();
    let found = entry(json!({"kind": "stolen", "token": 1}));
    assert_eq!(found, [format!("/event/kind \"stolen\" is not {kinds}")]);
    assert_eq!(entry(json!({"token": 1})), [format!("/event \"kind\" is missing: {kinds}")]);
    assert!(entry(json!([]))[0].starts_with("/event an array is of no known shape: "));
}

#[test]
fn a_session_inside_an_event_has_its_own_shape() {
    let entry = license_types::schemas::text("entry", Profile::Documented).unwrap();
    let entry: Value = serde_json::from_str(entry).unwrap();
    let mut event = entry["$defs"]["RetainedEvent"]["examples"][0].clone();
    event["description"]["isDatastore"] = json!("no");
    let mut entry = entry["examples"][0].clone();
    entry["event"] = event;
    let validator = Validator::new("entry", Profile::Documented).unwrap();
    let violations = validator.check(entry.to_string().as_bytes()).unwrap();
    let [violation] = &violations[..] else { panic!("{violations:?}") };
    assert_eq!(violation.instance_path, "/event/description/isDatastore");
    assert_eq!(violation.schema_path, "/$defs/RestSession/properties/isDatastore/type");
    assert_eq!(violation.shape.as_deref(), Some("RestSession"));
}

#[test]
fn types_name_the_same_shape_wherever_one_is_told() {
    let members = ["type", "ID", "userAgent", "userId", "sessionID", "isDatastore"];
    let mut compared = 0;
    for mask in 1..1u32 << members.len() {
        let mut session = json!({"userName": "Ann", "IPAddress": "::1"});
        for (bit, name) in members.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1) {
            session[*name] = json!(bit);
        }
        for profile in Profile::ALL {
            let error = match profile {
                Profile::Documented => documented::Session::parse(session.clone()).unwrap_err(),
                Profile::Observed => observed::Session::parse(session.clone()).unwrap_err(),
            };
            let validator = Validator::new("session", profile).unwrap();
            let found = validator.check(session.to_string().as_bytes()).unwrap();
            if let Some(shape) = found[0].shape.as_deref() {
                assert_eq!(error.shape(), Some(shape), "{session}");
                compared += 1;
            }
        }
    }
    assert!(compared > 60, "{compared}");
}
