//! Licenses that come and go.

use license_http::Options;
use serde_json::json;

use super::world::{SAMPLE, World};
use crate::pool::world::sample;

#[test]
fn a_license_goes_once_nobody_holds_any_of_it_and_its_history_stays() {
    let world = World::sample();
    world.retain("0009", "job-7").expect(201);
    let refused = world.delete("/v1/licenses/active");
    assert_eq!(refused.problem(), "409 in_use");
    assert_eq!(refused.value()["usedCount"], 1);
    world.delete("/v1/licenses/active/sessions/job-7").expect(200);
    let gone = world.delete("/v1/licenses/SAMPLE-0001").expect(200).value();
    assert_eq!(gone["licenseNumber"], "SAMPLE-0001");

    assert_eq!(world.get("/v1/licenses").expect(200).value(), json!([]));
    for license in ["/v1/licenses/active", "/v1/licenses/SAMPLE-0001"] {
        for path in ["", "/usage", "/products/0009/availability", "/sessions/job-7"] {
            let answer = world.get(&format!("{license}{path}"));
            assert_eq!(answer.problem(), "404 unknown_license", "{license}{path}");
        }
        assert_eq!(world.delete(license).problem(), "404 unknown_license");
    }
    assert_eq!(world.retain("0009", "job-7").problem(), "404 unknown_license");
    let history = world.get("/v1/licenses/SAMPLE-0001/history").expect(200);
    let last: serde_json::Value =
        serde_json::from_str(history.text.lines().last().unwrap()).unwrap();
    assert_eq!(last["event"], json!({"kind": "uninstalled", "licenseNumber": "SAMPLE-0001"}));
    assert!(last["principal"].as_str().unwrap().starts_with("lk_"));

    world.install(SAMPLE).expect(201);
    assert_eq!(world.retain("0009", "job-7").expect(201).value()["retention"]["token"], 2);
}

#[test]
fn every_license_that_is_installed_can_be_named() {
    let world = World::new();
    let numbered = |number: &str| SAMPLE.replace("SAMPLE-0001", number);
    let longest = "ä".repeat(255);
    let refused = world.install(&numbered(&format!("{longest}ä")));
    assert_eq!(refused.problem(), "422 schema_violation");
    assert_eq!(refused.value()["violations"][0]["instancePath"], "/licenseNumber");
    world.install(&numbered(&longest)).expect(201);
    let path = format!("/v1/licenses/{}", "%C3%A4".repeat(255));
    assert_eq!(world.get(&path).expect(200).value()["licenseNumber"], longest);
    world.delete(&path).expect(200);
}

#[test]
fn a_document_that_is_no_license_is_refused_with_every_violation() {
    let world = World::new();
    let violations = |document: &str| -> Vec<(String, u64)> {
        let refused = world.install(document);
        assert_eq!(refused.problem(), "422 schema_violation", "{document}");
        let problem = refused.value();
        let violations = problem["violations"].as_array().unwrap().iter();
        violations
            .map(|it| {
                (it["instancePath"].as_str().unwrap().to_owned(), it["line"].as_u64().unwrap())
            })
            .collect()
    };
    let wrong = SAMPLE.replace("\"name\": \"4D Client\"", "\"name\": 7");
    let wrong = wrong.replace("\"version\"", "\"vision\"");
    let found = violations(&wrong);
    assert!(found.len() >= 3, "{found:?}");
    assert!(found.iter().all(|(_, line)| *line > 0), "{found:?}");
    assert!(found.iter().any(|(at, _)| at.ends_with("/name")), "{found:?}");
    // What no schema can say, or who judges by the schema cannot read.
    let february = SAMPLE.replace("\"day\": 1, \"month\": 2", "\"day\": 31, \"month\": 2");
    let at = "/products/0/rights/0/expirationDate".to_owned();
    assert_eq!(violations(&february), [(at, 0)]);
    assert_eq!(violations("null"), [(String::new(), 0)]);
    assert_eq!(violations("{} // empty").len(), 1);
}

#[test]
fn a_list_to_renew_of_a_license_that_is_not_there_is_refused_as_a_whole() {
    let world = World::sample();
    let list = json!({ "sessions": [{ "sessionId": "job-7" }] });
    let renew = |license: &str| {
        world.ask("POST", &format!("/v1/licenses/{license}/renew")).json(&list).send()
    };
    assert_eq!(renew("none").problem(), "404 unknown_license");
    let told = renew("active").expect(200).value();
    assert_eq!(told["sessions"][0]["problem"]["code"], "not_retained");
}

#[test]
fn who_asks_for_no_lease_gets_that_of_the_server() {
    let lease = license_pool::LeaseSeconds::new(120).unwrap();
    let world = World::over(sample(), Options::new().lease(lease)).administered();
    let granted = world.retain("0009", "job-7").expect(201).value();
    assert_eq!(granted["lease"]["leaseSeconds"], 120);
}

#[test]
fn a_session_that_gives_one_product_back_holds_its_others() {
    let world = World::sample();
    for product in ["0007", "0009", "0025"] {
        world.retain(product, "job-7").expect(201);
    }
    let session = "/v1/licenses/active/sessions/job-7";
    let released = |path: &str| {
        let receipt = world.delete(&format!("{session}{path}")).expect(200).value();
        let released = receipt["released"].as_array().unwrap().iter();
        released.map(|it| it["token"].as_u64().unwrap()).collect::<Vec<u64>>()
    };
    assert_eq!(released("/products/0009"), [2]);
    assert_eq!(world.delete(&format!("{session}/products/0009")).problem(), "404 not_retained");
    // A release that comes late names the retention that it means.
    let late = world.delete(&format!("{session}/products/0025?token=2"));
    assert_eq!(late.problem(), "404 not_retained");
    assert_eq!(released("/products/0025?token=3"), [3]);
    assert_eq!(released(""), [1]);
}
