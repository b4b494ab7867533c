//! Several servers of one store, who waits at them, and the end of one.

use std::thread;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use license_http::Options;
use license_pool::{CredentialRole, Pool};
use serde_json::{Value, json};

use super::{Connection, PATIENCE, Server, token};
use crate::http::world::described;
use crate::pool::world::{Store, clock};

#[test]
fn servers_of_one_store_are_as_one() {
    let store = Store::new();
    let [a, b] = ["a", "b"].map(|name| Server::on(&store, name, Options::new()));
    let session = "/v1/licenses/active/sessions/job-7";
    let secret = a.secret.clone();
    let b = Server { secret, ..b };
    assert_eq!(token(&a.retain("0009", "job-7")), (201, &json!(1)));
    assert_eq!(token(&b.retain("0009", "job-7")), (200, &json!(1)));
    assert_eq!(a.ask("GET", session, None).1["held"][0]["lease"]["leaseSeconds"], 90);
    assert_eq!(b.ask("POST", &format!("{session}/renew"), None).0, 200);
    let usage = |server: &Server, query: &str| {
        let path = format!("/v1/licenses/active/usage{query}");
        server.ask("GET", &path, None).1.as_array().unwrap().len()
    };
    // It moved to where it was heard last.
    assert_eq!((usage(&a, ""), usage(&b, ""), usage(&a, "?server=all")), (0, 1, 1));
    let servers = a.ask("GET", "/v1/servers", None).1;
    let names: Vec<&Value> = servers.as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(a.ask("DELETE", session, None).0, 200);
    assert_eq!(b.ask("DELETE", session, None).0, 404);
}

#[test]
fn a_session_belongs_to_its_credential_on_every_server_and_after_a_restart() {
    let store = Store::new();
    let [a, b] = ["a", "b"].map(|name| Server::on(&store, name, Options::new()));
    let [ann, eve] = [(); 2].map(|()| a.credential(CredentialRole::Client));
    let retain = |server: &Server, secret: &str| {
        Connection::to(&server.running, secret).retain("0009", "job-7", "")
    };
    let is_denied = |server: &Server| {
        let (status, problem) = retain(server, &eve);
        assert_eq!((status, &problem["code"]), (403, &json!("not_permitted")));
    };
    assert_eq!(retain(&a, &ann).0, 201);
    is_denied(&a);
    is_denied(&b);
    assert_eq!(token(&retain(&b, &ann)), (200, &json!(1)));
    drop((a, b));
    let again = Server::on(&store, "c", Options::new());
    is_denied(&again);
    assert_eq!(token(&retain(&again, &ann)), (200, &json!(1)));
}

#[test]
fn who_goes_away_waits_no_longer() {
    let store = Store::new();
    let server = Server::on(&store, "a", Options::new());
    assert_eq!(server.retain("0025", "first").0, 201);
    let mut gone = server.connect();
    let body = json!({ "session": described("gone") }).to_string();
    let path = "/v1/licenses/active/sessions/gone/products/0025?wait=60s";
    let head = gone.head("PUT", path);
    let length = body.len();
    gone.write(&format!(
        "{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    ));
    server.waits(1);
    drop(gone);
    server.waits(0);
    assert_eq!(server.ask("DELETE", "/v1/licenses/active/sessions/first", None).0, 200);
    assert_eq!(token(&server.retain("0025", "second")), (201, &json!(2)));
}

#[test]
fn who_waits_gets_what_another_server_releases() {
    let store = Store::new();
    let [a, b] = ["a", "b"].map(|name| Server::on(&store, name, Options::new()));
    assert_eq!(a.retain("0025", "first").0, 201);
    let mut second = b.connect();
    let waits = thread::spawn(move || second.retain("0025", "second", "?wait=60s"));
    b.waits(1);
    assert_eq!(a.ask("DELETE", "/v1/licenses/active/sessions/first", None).0, 200);
    assert_eq!(token(&waits.join().unwrap()), (201, &json!(2)));
}

#[test]
fn no_request_waits_for_longer_than_ten_minutes() {
    let (store, machine) = (Store::new(), clock());
    let pool = Pool::options().server("a".parse().unwrap()).clock(machine.clone());
    let server = Server::with(&store, pool, Options::new());
    let body = json!({ "session": described("first"), "leaseSeconds": 86_400 });
    let path = "/v1/licenses/active/sessions/first/products/0025";
    assert_eq!(server.ask("PUT", path, Some(&body)).0, 201);
    let mut second = server.connect();
    let body = json!({ "session": described("second") }).to_string();
    let head = second.head("PUT", "/v1/licenses/active/sessions/second/products/0025?wait=9999s");
    let length = body.len();
    second.write(&format!(
        "{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    ));
    server.waits(1);
    machine.advance(SignedDuration::from_secs(590));
    assert!(!second.is_answered_within(Duration::from_millis(300)));
    // More than once, since it may have begun to wait only after the first ten minutes.
    for _ in 0..3 {
        machine.advance(SignedDuration::from_secs(601));
        if second.is_answered_within(Duration::from_secs(5)) {
            break;
        }
    }
    let (status, problem) = second.answer();
    assert_eq!((status, &problem["code"]), (409, &json!("no_license_left")));
}

#[test]
fn told_to_stop_it_grants_nothing_new_and_what_is_held_stays_held() {
    let store = Store::new();
    let mut server = Server::on(&store, "a", Options::new().drain(PATIENCE));
    let mut kept = server.connect();
    assert_eq!(kept.retain("0009", "job-7", "").0, 201);
    server.running.begin_stop();
    let until = Instant::now() + PATIENCE;
    while kept.ask("GET", "/readyz", None).1["code"] != "draining" {
        assert!(Instant::now() < until, "it does not stop");
    }
    let (status, problem) = kept.retain("0009", "job-8", "");
    assert_eq!((status, &problem["code"]), (503, &json!("draining")));
    assert_eq!(kept.retain("0025", "job-7", "").0, 503, "it holds another product");
    assert_eq!(token(&kept.retain("0009", "job-7", "")), (200, &json!(1)));
    drop(kept);
    server.running.stop();
    assert_eq!(store.open().usage(None).unwrap().len(), 1);
}

#[test]
fn who_waits_or_follows_hears_at_once_that_the_server_stops() {
    let store = Store::new();
    let mut server = Server::on(&store, "a", Options::new().drain(10 * PATIENCE));
    assert_eq!(server.retain("0025", "first").0, 201);
    let mut events = server.connect();
    let head = events.head("GET", "/v1/licenses/active/events");
    events.write(&format!("{head}\r\n"));
    assert_eq!(events.status().0, 200);
    let mut second = server.connect();
    let waits = thread::spawn(move || second.retain("0025", "second", "?wait=600s"));
    server.waits(1);
    server.running.begin_stop();
    let (status, problem) = waits.join().unwrap();
    assert_eq!((status, &problem["code"]), (503, &json!("draining")));
    let until = Instant::now() + PATIENCE;
    while events.line() != "0" {
        assert!(Instant::now() < until, "the stream goes on");
    }
}
