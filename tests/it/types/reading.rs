//! What reading promises beyond accepting: order, duplicates, and errors that name the place.

use license_types::{FromJson, Session, documented, observed};
use serde_json::{Value, json};

const RIGHT: &str = r#"{"count":5,"expirationDate":{"day":1,"month":2,"year":2035}}"#;

#[test]
fn members_are_written_in_the_order_of_the_schema() {
    let shuffled = r#"{"expirationDate":{"year":2035,"day":1,"month":2},"count":5.0}"#;
    let right: documented::Right = serde_json::from_str(shuffled).unwrap();
    assert_eq!(serde_json::to_string(&right).unwrap(), RIGHT);
}

#[test]
fn an_observed_type_keeps_unknown_members_in_their_order() {
    let text = r#"{"z":1,"count":5,"m":{"b":2,"a":1},"expirationDate":{"c":0,"day":1,"month":2,"year":2035,"b":0},"a":null}"#;
    let right: observed::Right = serde_json::from_str(text).unwrap();
    assert_eq!(
        serde_json::to_string(&right).unwrap(),
        r#"{"count":5,"expirationDate":{"day":1,"month":2,"year":2035,"c":0,"b":0},"z":1,"m":{"b":2,"a":1},"a":null}"#
    );
    assert!(documented::Right::try_from(right).is_err());
}

#[test]
fn the_last_of_duplicated_members_wins() {
    let right: documented::Right = serde_json::from_str(r#"{"count":"x","count":5}"#).unwrap();
    assert_eq!(right.count.get(), 5);
    assert!(serde_json::from_str::<documented::Right>(r#"{"count":5,"count":"x"}"#).is_err());
    let text = r#"{"kind":"released","kind":"clock_corrected"}"#;
    let event: documented::Event = serde_json::from_str(text).unwrap();
    assert!(matches!(event, documented::Event::ClockCorrected(_)));
}

/// What an error of a session says: place, message, nearest shape.
#[track_caller]
fn check(change: impl FnOnce(&mut Value), expected: (&str, &str, Option<&str>)) {
    let mut session = json!({
        "type": "remote", "userName": "Ann", "machineName": "", "systemUserName": "ann",
        "IPAddress": "::1", "hostType": "mac", "creationDateTime": "2021-12-01T15:36:40Z",
        "state": "active", "ID": "3C81A8D7AFE64C2E9CCFFCDC35DC52F5",
        "persistentID": "3C81A8D7AFE64C2E9CCFFCDC35DC52F5"
    });
    change(&mut session);
    let error = Session::parse(session).unwrap_err();
    assert_eq!((error.at(), error.message(), error.shape()), expected);
}

#[test]
fn an_error_names_the_nearest_shape_and_the_member_that_failed() {
    let client = Some("ClientSession");
    check(
        |session| session["state"] = json!("idle"),
        (
            "/state",
            r#""idle" is no SessionState: expected one of "active", "postponed", "sleeping""#,
            client,
        ),
    );
    check(
        |session| session["userAgent"] = json!("x"),
        ("/userAgent", "is not allowed here", client),
    );
    check(
        |session| drop(session.as_object_mut().unwrap().remove("type")),
        ("/type", "is missing", client),
    );
    check(
        |session| session["machineName"] = json!(null),
        ("/machineName", "is null, expected a string", client),
    );
    check(|session| *session = json!([]), ("", "is an array, expected an object", None));
    check(
        |session| *session = json!({"userName": "Ann"}),
        (
            "",
            "is of no known shape: ClientSession has `type` and `ID`, SqlSession has `userAgent` \
             and `userId`, RestSession has `sessionID` and `isDatastore`",
            None,
        ),
    );
    check(
        |session| {
            *session = json!({"sessionID": "a", "isDatastore": true, "state": "active", "hostType": "mac"});
        },
        ("/userName", "is missing", Some("RestSession")),
    );
}

#[test]
fn both_profiles_find_the_same_nearest_shape() {
    for (members, shape) in [
        (json!({"type": "remote", "ID": ""}), Some("ClientSession")),
        (json!({"type": "remote", "ID": 1, "sessionID": 1, "isX": 0}), Some("ClientSession")),
        (json!({"sessionID": "a", "machineName": "m", "hostType": "mac"}), Some("RestSession")),
        (json!({"type": "rest", "sessionID": "a", "userName": ""}), Some("RestSession")),
        (json!({"userAgent": "x", "IPAddress": "y"}), Some("SqlSession")),
        (json!({"userName": "x", "state": "active"}), None),
    ] {
        let members = members.as_object().unwrap();
        assert_eq!(Session::nearest_shape(members), shape, "{members:?}");
        assert_eq!(observed::Session::nearest_shape(members), shape, "{members:?}");
    }
}

#[test]
fn an_error_deep_inside_names_its_place_from_the_root() {
    let error = documented::LicenseInfoDocument::parse(json!({
        "name": "", "key": 1, "licenseNumber": "", "version": "", "userName": "", "userMail": "",
        "companyName": "", "platforms": [], "products": [
            {"id": 1, "name": "", "usedCount": 0, "allowedCount": 0, "rights": [
                {"count": 1},
                {"count": 32768}
            ]}
        ]
    }))
    .unwrap_err();
    assert_eq!(error.at(), "/products/0/rights/1/count");
    assert_eq!(error.message(), "32768 is no RightCount: expected an integer from 0 to 32767");
}
