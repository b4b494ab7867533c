//! Answers that are followed as they come, and long ones.

use std::io::Read as _;
use std::thread;
use std::time::{Duration, Instant};

use license_http::{Limits, Options};
use license_pool::{Clock as _, CredentialRole, Pool, SAMPLE_LICENSE};
use serde_json::{Value, json};

use super::{Connection, PATIENCE, Server};
use crate::http::world::World;
use crate::pool::world::{Store, clock, sample};

#[test]
fn who_may_not_ask_any_more_neither_follows_nor_waits() {
    let store = Store::new();
    let server = Server::on(&store, "a", Options::new());
    assert_eq!(server.retain("0025", "first").0, 201);
    let revoke = |role| {
        let kept = server.pool.credentials().wait().unwrap();
        for mut kept in kept.into_iter().filter(|kept| kept.credential.role == role) {
            kept.credential.revoked_at = Some(clock().now().into());
            server.pool.keep_credential(kept).wait().unwrap();
        }
    };
    let client = server.credential(CredentialRole::Client);
    let mut client = Connection::to(&server.running, &client);
    let waits = thread::spawn(move || client.retain("0025", "second", "?wait=600s"));
    server.waits(1);
    revoke(CredentialRole::Client);
    let (status, problem) = waits.join().unwrap();
    assert_eq!((status, &problem["code"]), (401, &json!("unauthorized")));
    server.waits(0);

    let viewer = server.credential(CredentialRole::Viewer);
    let [mut theirs, mut ours] = [&viewer, &server.secret].map(|secret| {
        let mut events = Connection::to(&server.running, secret);
        let head = events.head("GET", "/v1/licenses/active/events");
        events.write(&format!("{head}\r\n"));
        assert_eq!(events.status().0, 200);
        events
    });
    revoke(CredentialRole::Viewer);
    // The end of the stream; that it says nothing in between is no end.
    let until = Instant::now() + PATIENCE;
    while theirs.line() != "0" {
        assert!(Instant::now() < until, "the stream goes on");
    }
    assert_eq!(server.retain("0009", "third").0, 201);
    assert!(ours.event("data").contains("third"));
}

#[test]
fn before_the_first_credential_who_follows_does_so_until_there_is_one() {
    let world = World::hurried(sample());
    let mut events = world.ask("GET", "/v1/licenses/active/events").follow();
    assert!(events.next().ends_with(": following\n\n"));
    world.make(CredentialRole::Viewer);
    assert!(events.ends());
}

#[test]
fn events_are_the_log_followed_from_where_it_was_left() {
    let store = Store::new();
    let server = Server::on(&store, "a", Options::new());
    let follow = |header: &str| {
        let mut events = server.connect();
        let head = events.head("GET", "/v1/licenses/active/events");
        events.write(&format!("{head}{header}\r\n"));
        assert_eq!(events.status().0, 200);
        events
    };
    let mut live = follow("");
    live.event("");
    assert_eq!(server.retain("0009", "job-7").0, 201);
    assert_eq!(live.event("id"), "2");
    let entry: Value = serde_json::from_str(&live.event("data")).unwrap();
    assert_eq!(entry["event"]["sessionId"], "job-7");
    let mut resumed = follow("last-event-id: 1\r\n");
    assert_eq!(resumed.event("id"), "2");
    // What it has seen is not in this log.
    let mut lost = follow("last-event-id: 99\r\n");
    assert_eq!(lost.event("event"), "reset");
    assert_eq!(lost.event("data"), r#"{"sequence":2}"#);
}

#[test]
fn who_follows_the_only_license_hears_of_its_end_and_of_its_return() {
    let store = Store::new();
    let server = Server::on(&store, "a", Options::new());
    let mut events = server.connect();
    let head = events.head("GET", "/v1/licenses/active/events?after=1");
    events.write(&format!("{head}\r\n"));
    assert_eq!(events.status().0, 200);
    let mut kind = || {
        let entry: Value = serde_json::from_str(&events.event("data")).unwrap();
        entry["event"]["kind"].as_str().unwrap().to_owned()
    };
    let other = SAMPLE_LICENSE.replace("SAMPLE-0001", "OTHER-1");
    server.pool.install(other.as_bytes()).unwrap();
    let followed = server.pool.license("SAMPLE-0001");
    let ann = license_pool::Session::rest("ann", "job-7", "192.0.2.1");
    drop(followed.retain("0009", "job-7", ann).unwrap());
    assert_eq!([kind(), kind()], ["retained", "released"]);
    followed.uninstall().unwrap();
    assert_eq!(kind(), "uninstalled");
    server.pool.install(SAMPLE_LICENSE.as_bytes()).unwrap();
    assert_eq!(kind(), "installed");
}

#[test]
fn events_older_than_the_history_are_told_as_a_reset() {
    let store = Store::new();
    let pool = Pool::options().server("a".parse().unwrap()).history(Duration::ZERO);
    let server = Server::with(&store, pool, Options::new());
    assert_eq!(server.retain("0009", "job-7").0, 201);
    // Of what was deleted before, only the last entry is left.
    let until = Instant::now() + PATIENCE;
    while server.text("/v1/licenses/active/history").contains("\"installed\"") {
        assert!(Instant::now() < until, "nothing is deleted");
        server.pool.archive().unwrap();
    }
    let mut events = server.connect();
    let head = events.head("GET", "/v1/licenses/active/events");
    events.write(&format!("{head}last-event-id: 0\r\n\r\n"));
    assert_eq!(events.status().0, 200);
    assert_eq!(events.event("event"), "reset");
    assert_eq!(events.event("data"), r#"{"sequence":0}"#);
    assert_eq!(events.event("id"), "2");
}

#[test]
fn there_are_no_more_streams_than_are_allowed() {
    let store = Store::new();
    let limits = Limits { streams: 1, ..Limits::default() };
    let server = Server::on(&store, "a", Options::new().limits(limits));
    let mut first = server.connect();
    let head = first.head("GET", "/v1/licenses/active/events");
    first.write(&format!("{head}\r\n"));
    assert_eq!(first.status().0, 200);
    assert_eq!(server.ask("GET", "/v1/licenses/active/events", None).0, 429);
    drop(first);
    let until = Instant::now() + PATIENCE;
    let mut again = 429;
    while again == 429 {
        assert!(Instant::now() < until, "the place of who left is not given back");
        let mut next = server.connect();
        let head = next.head("GET", "/v1/licenses/active/events");
        next.write(&format!("{head}\r\n"));
        again = next.status().0;
        // What happens shows who is not there any more.
        server.retain("0007", "job");
        server.ask("DELETE", "/v1/licenses/active/sessions/job", None);
    }
    assert_eq!(again, 200);
}

#[test]
fn a_report_of_many_pages_is_whole() {
    let store = Store::new();
    let server = Server::on(&store, "a", Options::new());
    let pool = store.open();
    let session = |index: u64| format!("session-{index}");
    let seats: Vec<_> = (1..=2001)
        .map(|index| {
            let id = session(index);
            pool.retain_async("0007", &id, license_pool::Session::rest("ann", &id, "192.0.2.1"))
        })
        .collect();
    let seats: Vec<_> = seats.into_iter().map(|seat| seat.wait().unwrap()).collect();
    for accept in ["application/json", "application/x-ndjson"] {
        let mut connection = server.connect();
        let head = connection.head("GET", "/v1/licenses/active/usage?server=all");
        connection.write(&format!("{head}accept: {accept}\r\nconnection: close\r\n\r\n"));
        assert_eq!(connection.status().0, 200);
        let mut text = String::new();
        connection.stream.read_to_string(&mut text).unwrap();
        let tokens = text.matches("\"token\":").count();
        assert_eq!(tokens, seats.len(), "{accept}");
    }
}
