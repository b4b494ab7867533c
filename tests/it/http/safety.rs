//! Safe by default: who may ask what, from where, and how much.

use license_http::{Limits, Options};
use license_pool::{Clock as _, CredentialRole};
use serde_json::{Value, json};

use super::world::{SAMPLE, World, described};
use crate::pool::world::{clock, license, sample};

pub(super) const LICENSES: &str = "/v1/licenses";
pub(super) const INFO: &str = "/v1/licenses/active";
pub(super) const SEAT: &str = "/v1/licenses/active/sessions/job-7/products/0009";

pub(super) fn body() -> Value {
    json!({ "session": described("job-7") })
}

/// A server whose store has no credential yet.
pub(super) fn open() -> World {
    World::over(sample(), Options::new())
}

#[test]
fn before_the_first_credential_this_machine_may_do_all_but_administer() {
    let world = open();
    world.ask("GET", INFO).send().expect(200);
    world.retain("0009", "job-7").expect(201);
    world.get("/v1/licenses/active/usage").expect(200);
    assert_eq!(world.install(SAMPLE).problem(), "403 not_permitted");
    let revoke = world.delete("/v1/licenses/active/retentions/1");
    assert_eq!(revoke.problem(), "403 not_permitted");
    assert_eq!(
        world.ask("GET", INFO).from("192.0.2.7").header("host", "192.0.2.1").send().problem(),
        "401 unauthorized"
    );
}

#[test]
fn the_id_of_a_credential_is_no_secret_and_opens_nothing() {
    let world = World::sample();
    let secret = world.make(CredentialRole::Viewer);
    let (id, hidden) = secret.rsplit_once('_').unwrap();
    let digit = if hidden.ends_with('0') { "1" } else { "0" };
    for guess in [format!("{id}_{:064}", 0), format!("{}{digit}", &secret[..secret.len() - 1])] {
        let answer = world.ask("GET", INFO).credential(&guess).send();
        assert_eq!(answer.problem(), "401 unauthorized", "{guess}");
    }
    world.ask("GET", INFO).credential(&secret).send().expect(200);
}

#[test]
fn a_request_that_shows_two_credentials_is_nobodys() {
    let world = World::sample();
    let secret = world.make(CredentialRole::Viewer);
    let twice = world.ask("GET", INFO).also("authorization", &format!("Bearer {secret}"));
    assert_eq!(twice.send().problem(), "401 unauthorized");
    let beside = world.ask("GET", INFO).also("authorization", "Basic YTpi");
    assert_eq!(beside.send().problem(), "401 unauthorized");
}

#[test]
fn once_there_is_a_credential_every_request_needs_one() {
    let world = World::sample();
    for path in ["/healthz", "/readyz", "/v1/schemas", "/openapi.json", "/"] {
        world.ask("GET", path).nobody().send().expect(200);
    }
    for path in [LICENSES, INFO, "/v1/licenses/active/products/0009/availability"] {
        let answer = world.ask("GET", path).nobody().send();
        assert_eq!(answer.problem(), "401 unauthorized");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    for shown in ["Bearer", "Bearer x", "Basic YTpi", &format!("Bearer lk_{:012}_{:064}", 1, 1)] {
        let answer = world.ask("GET", INFO).header("authorization", shown).send();
        assert_eq!(answer.problem(), "401 unauthorized", "{shown}");
    }
}

/// Who may ask what, in the order of the description; an administrator may ask everything.
const MAY: [(&str, &[&str]); 25] = [
    ("list_licenses", &["client", "viewer"]),
    ("install_license", &[]),
    ("show_license", &["viewer"]),
    ("uninstall_license", &[]),
    ("show_usage", &["viewer"]),
    ("show_availability", &["client", "viewer"]),
    ("retain", &["client"]),
    ("release_product", &["client"]),
    ("show_session", &["client", "viewer"]),
    ("release_session", &["client"]),
    ("renew_session", &["client"]),
    ("renew_sessions", &["client"]),
    ("revoke_retention", &[]),
    ("show_report", &["viewer"]),
    ("show_history", &["viewer"]),
    ("follow_events", &["viewer"]),
    ("list_servers", &["viewer"]),
    ("list_schemas", EVERYBODY),
    ("show_schema", EVERYBODY),
    ("show_openapi", EVERYBODY),
    ("show_health", EVERYBODY),
    ("show_readiness", EVERYBODY),
    ("show_metrics", &["viewer"]),
    ("show_page", EVERYBODY),
    ("show_asset", EVERYBODY),
];
const EVERYBODY: &[&str] = &["everybody"];

#[test]
fn each_role_may_ask_what_it_is_for_and_nothing_else() {
    let world = World::sample();
    let secrets = CredentialRole::ALL.iter().map(|role| (role.as_str(), world.make(*role)));
    let secrets: Vec<_> = secrets.collect();
    let description = world.get("/openapi.json").value();
    let mut told = Vec::new();
    for (path, methods) in description["paths"].as_object().unwrap() {
        let names = [("{n}", "active"), ("{sid}", "nobody"), ("{id}", "0009"), ("{token}", "1000")];
        let schema = [("{name}", "entry"), ("{asset}", "app.js")];
        let path = names
            .into_iter()
            .chain(schema)
            .fold(path.clone(), |path, (name, value)| path.replace(name, value));
        for (method, operation) in methods.as_object().unwrap() {
            let ask = || {
                let ask = world.ask(&method.to_uppercase(), &path);
                // It breaks its schema, which is told only to who may ask.
                if operation["requestBody"].is_object() { ask.body("[]") } else { ask }
            };
            let id = operation["operationId"].as_str().unwrap();
            let (_, may) = MAY.iter().find(|(known, _)| *known == id).unwrap();
            let stranger = ask().nobody().begun().status.as_u16();
            assert_eq!(stranger == 401, *may != EVERYBODY, "{id}: {stranger}");
            for (role, secret) in &secrets {
                let status = ask().credential(secret).begun().status.as_u16();
                let is_allowed = *may == EVERYBODY || *role == "admin" || may.contains(role);
                assert_eq!(status == 403, !is_allowed, "{id} by {role}: {status}");
            }
            told.push(id);
        }
    }
    told.sort_unstable();
    let mut known = MAY.map(|(id, _)| id);
    known.sort_unstable();
    assert_eq!(told, known);
}

#[test]
fn a_session_belongs_to_the_credential_that_retained_with_it() {
    let world = World::sample();
    let [ann, eve] = [(); 2].map(|()| world.make(CredentialRole::Client));
    let put = |secret: &str| world.ask("PUT", SEAT).json(&body()).credential(secret).send();
    put(&ann).expect(201);
    put(&ann).expect(200);
    assert_eq!(put(&eve).problem(), "403 not_permitted");
    for (method, path) in [
        ("GET", "/v1/licenses/active/sessions/job-7"),
        ("POST", "/v1/licenses/active/sessions/job-7/renew"),
        ("DELETE", "/v1/licenses/active/sessions/job-7"),
        ("DELETE", SEAT),
    ] {
        let answer = world.ask(method, path).credential(&eve).send();
        assert_eq!(answer.problem(), "403 not_permitted", "{method} {path}");
    }
    let usage = world.get("/v1/licenses/active/sessions/job-7").expect(200).value();
    assert_eq!(usage["held"][0]["retention"]["token"], 1);
    world.ask("DELETE", SEAT).credential(&ann).send().expect(200);

    // An administrator takes back what a session holds, whoever it belongs to, and the log says so.
    put(&ann).expect(201);
    let revoked = world.delete("/v1/licenses/active/sessions/job-7").expect(200).value();
    assert_eq!(revoked["released"][0]["cause"], "revoked");
    world.retain("0009", "own").expect(201);
    let released = world.delete("/v1/licenses/active/sessions/own").expect(200).value();
    assert_eq!(released["released"][0]["cause"], "released");
}

#[test]
fn a_credential_holds_no_more_than_it_may() {
    let world = World::sample();
    let client = world.make_with(CredentialRole::Client, Some(1), None);
    let retain = |session: &str| {
        let path = format!("/v1/licenses/active/sessions/{session}/products/0009");
        world.ask("PUT", &path).json(&body()).credential(&client).send()
    };
    retain("one").expect(201);
    assert_eq!(retain("two").problem(), "403 not_permitted");
    retain("one").expect(200);
    // Of another license it may hold as many again.
    world.install(&license("B", 5)).expect(201);
    let retain = |session: &str| {
        let path = format!("/v1/licenses/B/sessions/{session}/products/0009");
        world.ask("PUT", &path).json(&body()).credential(&client).send()
    };
    retain("two").expect(201);
    let problem = retain("three").value();
    let told = "the credential holds 1 seat of this license and may hold 1 of each";
    assert_eq!(problem["detail"], told);
}

#[test]
fn a_credential_ends_when_it_expires_or_is_revoked() {
    let world = World::sample();
    let now = clock().now();
    let old = world.make_with(CredentialRole::Viewer, None, Some(now));
    assert_eq!(world.ask("GET", INFO).credential(&old).send().problem(), "401 unauthorized");
    let viewer = world.make(CredentialRole::Viewer);
    world.ask("GET", INFO).credential(&viewer).send().expect(200);
    world.revoke(&viewer);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while world.ask("GET", INFO).credential(&viewer).send().status != 401 {
        assert!(std::time::Instant::now() < until, "the server goes on believing it");
    }
}

#[test]
fn problems_are_told_in_the_promised_order() {
    let world = World::sample();
    let viewer = world.make(CredentialRole::Viewer);
    let put = |path: &str, text: &str| world.ask("PUT", path).body(text);
    let unknown = "/v1/licenses/none/sessions/job-7/products/0009";
    // Each is wrong in every way that comes after the first.
    assert_eq!(put(unknown, "{").nobody().send().problem(), "400 bad_request");
    let long = json!({ "session": { "userName": "y".repeat(1025), "sessionID": "", "IPAddress": "",
        "isDatastore": false } });
    assert_eq!(put(unknown, &long.to_string()).nobody().send().problem(), "400 bad_request");
    assert_eq!(put(unknown, "{}").nobody().send().problem(), "401 unauthorized");
    assert_eq!(put(unknown, "{}").credential(&viewer).send().problem(), "403 not_permitted");
    let answer = put(unknown, "{}").send();
    assert_eq!(answer.problem(), "422 schema_violation");
    assert_eq!(answer.value()["violations"][0]["message"], "\"session\" is missing");
    assert_eq!(put(unknown, &body().to_string()).send().problem(), "404 unknown_license");
}

/// What is wrong in itself, whoever asks: not only what is no JSON.
#[test]
fn what_no_role_may_ask_is_told_before_the_question_of_who_asks() {
    let world = World::sample();
    let install = |text: &str| world.ask("POST", LICENSES).body(text);
    let sessions = vec![json!({"sessionId": "job-7"}); 1001];
    let renew = || world.ask("POST", &format!("{INFO}/renew")).json(&json!({"sessions": sessions}));
    let twice = SAMPLE.replacen('{', "{\"key\": 1,", 1);
    let follow = || world.ask("GET", &format!("{INFO}/events")).header("last-event-id", "last");
    for (asked, from_nobody) in [
        (install(&twice), install(&twice).nobody()),
        (install("{\"sig\": 1}"), install("{\"sig\": 1}").nobody()),
        (renew(), renew().nobody()),
        (follow(), follow().nobody()),
    ] {
        let told = asked.send().value();
        assert_eq!(told["code"], "bad_request");
        assert_eq!(from_nobody.send().value(), told);
    }
    // Comments are no mistake in a license.
    let commented = format!("// As it came by mail.\n{SAMPLE}");
    assert_eq!(install(&commented).nobody().send().problem(), "401 unauthorized");
    assert_eq!(install(&commented).send().expect(200).value()["status"], "replaced");
}

#[test]
fn what_is_too_large_or_too_deep_is_refused() {
    let world = World::sample();
    let put = |text: &str| world.ask("PUT", SEAT).body(text).send();
    assert_eq!(put(&" ".repeat((64 << 10) + 1)).problem(), "413 payload_too_large");
    let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(put(&deep(127)).problem(), "422 schema_violation");
    assert_eq!(put(&deep(128)).problem(), "400 bad_request");
    let license = |text: String| world.install(&text).problem();
    assert_eq!(license(" ".repeat((1 << 20) + 1)), "413 payload_too_large");
    assert_eq!(license(" ".repeat(1 << 20)), "400 bad_request");
}

#[test]
fn texts_are_neither_endless_nor_such_that_no_store_holds_them() {
    let world = World::sample();
    let client = json!({ "type": "remote", "userName": "", "machineName": "", "systemUserName": "",
        "IPAddress": "", "hostType": "mac", "creationDateTime": "2026-01-05T10:00:00Z",
        "state": "active", "ID": "0".repeat(32), "persistentID": "0".repeat(32) });
    let sql = json!({ "IPAddress": "", "userAgent": "", "userName": "", "userId": 1 });
    let mut sessions = 0;
    for (shape, texts) in [
        (client, &["userName", "machineName", "systemUserName", "IPAddress"][..]),
        (sql, &["IPAddress", "userAgent", "userName"]),
        (described("job-7"), &["userName", "sessionID", "IPAddress"]),
        (described("job-7"), &["reason"]),
    ] {
        for name in texts {
            let mut put = |text: &str| {
                let mut body = json!({ "session": shape });
                match *name {
                    "reason" => body["reason"] = text.into(),
                    name => body["session"][name] = text.into(),
                }
                sessions += 1;
                let path = format!("/v1/licenses/active/sessions/s{sessions}/products/0007");
                world.ask("PUT", &path).json(&body).send()
            };
            assert_eq!(put("a\0b").problem(), "400 bad_request", "{name}");
            // Of a reason the schema says so already.
            let too_long =
                if *name == "reason" { "422 schema_violation" } else { "400 bad_request" };
            assert_eq!(put(&"ä".repeat(1025)).problem(), too_long, "{name}");
            put(&"ä".repeat(1024)).expect(201);
        }
    }
    let (revoke, install) = ("/v1/licenses/active/retentions/1000?note=", "/v1/licenses?replaces=");
    let usage = "/v1/licenses/active/usage?server=";
    for (method, path, most, fits) in
        [("DELETE", revoke, 1024, 404), ("POST", install, 255, 422), ("GET", usage, 255, 200)]
    {
        let ask = |text: &str| {
            let ask = world.ask(method, &format!("{path}{text}"));
            if method == "POST" { ask.body("{}").send() } else { ask.send() }
        };
        assert_eq!(ask("a%00b").problem(), "400 bad_request", "{path}");
        assert_eq!(ask(&"%C3%A4".repeat(most + 1)).problem(), "400 bad_request", "{path}");
        ask(&"%C3%A4".repeat(most)).expect(fits);
    }
}

#[test]
fn a_credential_has_a_rate_and_guesses_have_a_lower_one() {
    let limits = Limits { requests_per_second: 1, failures_per_minute: 3, ..Limits::default() };
    let world = World::over(sample(), Options::new().limits(limits)).administered();
    let other = world.make(CredentialRole::Viewer);
    let ask = |secret: &str| world.ask("GET", INFO).credential(secret).send();
    let guesses: Vec<u16> = (0..6).map(|_| ask("lk_no").status.as_u16()).collect();
    assert_eq!(guesses, [401, 401, 401, 429, 429, 429]);
    // Guesses take nothing from those who need not guess.
    let mut first = Vec::new();
    while first.len() < 100 && !first.contains(&429) {
        first.push(world.get(INFO).status.as_u16());
    }
    assert_eq!(first.pop(), Some(429));
    assert!(first.len() >= 2 && first.iter().all(|status| *status == 200), "{first:?}");
    assert_eq!(world.get(INFO).header("retry-after"), "1");
    drop(other);
}

#[test]
fn each_guess_counts_once_however_well_it_looks() {
    let limits = Limits { failures_per_minute: 4, ..Limits::default() };
    let world = World::over(sample(), Options::new().limits(limits)).administered();
    let revoked = world.make(CredentialRole::Viewer);
    world.revoke(&revoked);
    let well_formed = format!("lk_{:012}_{:064}", 1, 1);
    let forged = format!("{}{:064}", &revoked[..revoked.len() - 64], 1);
    let ask = |secret: &str| world.ask("GET", INFO).credential(secret).send().status.as_u16();
    let asked = [&well_formed, "lk_no", &revoked, &forged, &well_formed, &revoked].map(ask);
    assert_eq!(asked, [401, 401, 401, 401, 429, 429]);
}

#[test]
fn guesses_from_one_network_count_together_since_one_caller_has_all_its_addresses() {
    let limits = Limits { failures_per_minute: 2, ..Limits::default() };
    let world = World::over(sample(), Options::new().limits(limits)).administered();
    let ask = |peer: &str| {
        let ask = world.ask("GET", INFO).header("host", "localhost").credential("lk_no");
        ask.between(&format!("{peer}:9"), "[2001:db8::]:9").send().status.as_u16()
    };
    let asked = ["[2001:db8::1]", "[2001:db8::2]", "[2001:db8::3]", "[2001:db8:0:1::1]"].map(ask);
    assert_eq!(asked, [401, 401, 429, 401]);
    assert_eq!(["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(ask), [401; 3]);
}

#[test]
fn callers_of_this_machine_have_no_rate_before_the_first_credential() {
    let limits = Limits { requests_per_second: 1, failures_per_minute: 1, ..Limits::default() };
    let world = World::over(sample(), Options::new().limits(limits));
    for _ in 0..50 {
        world.get(INFO).expect(200);
    }
}

#[test]
fn a_list_to_renew_is_no_longer_than_a_thousand_of_the_longest_names() {
    let world = World::sample();
    let renew = |count: usize| {
        let sessions: Vec<Value> = (0..count)
            .map(|n| json!({"sessionId": format!("{n:0>128}"), "state": "postponed"}))
            .collect();
        let list = json!({ "sessions": sessions });
        world.ask("POST", "/v1/licenses/active/renew").json(&list).send()
    };
    assert_eq!(renew(1000).expect(200).value()["sessions"].as_array().unwrap().len(), 1000);
    assert_eq!(renew(1001).problem(), "400 bad_request");
}

#[test]
fn nothing_secret_is_echoed() {
    let world = World::sample();
    let secret = world.make(CredentialRole::Client);
    let (_, hidden) = secret.rsplit_once('_').unwrap();
    for answer in [
        world.ask("GET", INFO).credential(&secret).send(),
        world.ask("GET", INFO).credential(&format!("{secret}0")).send(),
        world.ask("PUT", SEAT).body("{}").credential(&secret).send(),
        world.ask("GET", "/v1/nothing").credential(&secret).send(),
    ] {
        assert!(!format!("{answer:?}").contains(hidden), "{answer:?}");
    }
}
