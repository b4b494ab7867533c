//! What one connection may take, and for how long: many of them, slow ones, idle ones.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use license_http::{Limits, Options};
use serde_json::json;

use super::{Connection, PATIENCE, Server};
use crate::pool::world::Store;

#[test]
fn who_is_slow_keeps_nobody_waiting_and_is_let_go() {
    let store = Store::new();
    let time = Duration::from_millis(300);
    let limits = Limits { head: time, body: time, ..Limits::default() };
    let server = Server::on(&store, "a", Options::new().limits(limits));
    let mut slow: Vec<Connection> = (0..100).map(|_| server.connect()).collect();
    for (at, connection) in slow.iter_mut().enumerate() {
        let head = connection.head("PUT", "/v1/licenses/active/sessions/a/products/0009");
        connection.write(match at % 2 {
            0 => "PUT /v1/lic",
            _ => &head,
        });
    }
    let mut body = server.connect();
    let head = body.head("PUT", "/v1/licenses/active/sessions/a/products/0009");
    body.write(&format!("{head}content-type: application/json\r\ncontent-length: 100\r\n\r\n{{"));
    assert_eq!(server.retain("0009", "job-7").0, 201);
    let (status, problem) = body.answer();
    assert_eq!((status, &problem["code"]), (400, &json!("bad_request")));
    for mut connection in slow {
        assert!(connection.is_ended());
    }
}

#[test]
fn a_body_that_is_not_said_to_be_json_is_not_waited_for() {
    let store = Store::new();
    let server = Server::on(&store, "a", Options::new());
    let mut form = server.connect();
    let head = form.head("PUT", "/v1/licenses/active/sessions/a/products/0009");
    form.write(&format!("{head}content-type: text/plain\r\ncontent-length: 100\r\n\r\n{{"));
    let (status, problem) = form.answer();
    assert_eq!((status, &problem["code"]), (415, &json!("unsupported_media_type")));
}

#[test]
fn who_sends_far_too_much_is_told_so_and_not_cut_off() {
    let store = Store::new();
    let server = Server::on(&store, "a", Options::new());
    let body = json!(" ".repeat(20 << 20));
    for (path, told) in [("/v1/licenses", 413), ("/v1/nothing", 404)] {
        assert_eq!(server.ask("POST", path, Some(&body)).0, told);
    }
}

#[test]
fn a_connection_on_which_nothing_is_asked_is_let_go() {
    let store = Store::new();
    let limits = Limits { head: Duration::from_millis(300), ..Limits::default() };
    let server = Server::on(&store, "a", Options::new().limits(limits));
    let mut idle = server.connect();
    assert_eq!(idle.ask("GET", "/healthz", None).0, 200);
    assert!(idle.is_ended());
}

#[test]
fn the_head_of_an_answer_has_no_body_and_tells_its_length() {
    let store = Store::new();
    let server = Server::on(&store, "a", Options::new());
    let mut connection = server.connect();
    for path in ["/healthz", "/nothing", "/v1/licenses/%ff"] {
        let told = ["HEAD", "GET"].map(|method| {
            let head = connection.head(method, path);
            connection.write(&format!("{head}\r\n"));
            let told = connection.status();
            let body = if method == "GET" { told.1 } else { 0 };
            connection.stream.read_exact(&mut vec![0; body]).unwrap();
            told
        });
        assert_eq!(told[0], told[1], "{path}");
    }
    // Neither has an answer that would not end.
    let head = connection.head("HEAD", "/v1/licenses/active/events");
    connection.write(&format!("{head}\r\n"));
    assert_eq!(connection.status(), (200, 0));
    assert_eq!(connection.ask("GET", "/healthz", None).0, 200);
}

#[test]
fn many_may_connect_at_once() {
    let store = Store::new();
    let limits = Limits { connections: 1, ..Limits::default() };
    let server = Server::on(&store, "a", Options::new().limits(limits));
    // Nobody is accepted beside this one: all others are told by the operating system alone that they
    // are connected, and only where there is room for so many.
    let first = server.connect();
    let address = server.running.address();
    // A system may allow less than what is asked for.
    let allowed = std::fs::read_to_string("/proc/sys/net/core/somaxconn");
    let allowed = allowed.map_or(128, |allowed| allowed.trim().parse().unwrap());
    let others = (0..allowed.min(200)).map(|_| TcpStream::connect_timeout(&address, PATIENCE));
    assert!(others.collect::<Result<Vec<_>, _>>().is_ok());
    drop(first);
}

#[test]
fn who_takes_none_of_its_answers_is_let_go() {
    let store = Store::new();
    let limits = Limits { connections: 1, write: Duration::from_millis(300), ..Limits::default() };
    let server = Server::on(&store, "a", Options::new().limits(limits));
    let mut deaf = server.connect();
    // Far more than lies in the buffers between.
    let request = deaf.head("GET", "/openapi.json") + "\r\n";
    deaf.stream.get_mut().set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let _ = deaf.stream.get_mut().write_all(request.repeat(1000).as_bytes());
    // Its place is free once it is let go.
    assert_eq!(server.ask("GET", "/healthz", None).0, 200);
    drop(deaf);
}

#[test]
fn a_head_is_no_larger_than_is_allowed() {
    let store = Store::new();
    let server = Server::on(&store, "a", Options::new());
    let ask = |headers: String| {
        let mut connection = server.connect();
        let head = connection.head("GET", "/healthz");
        connection.write(&format!("{head}{headers}\r\n"));
        let status = connection.line();
        status.get(9..12).map_or(0, |status| status.parse().unwrap())
    };
    let many = |count: usize| (0..count).map(|n| format!("x-{n}: 1\r\n")).collect::<String>();
    let long = |bytes: usize| format!("x: {}\r\n", "y".repeat(bytes));
    assert_eq!((ask(many(62)), ask(many(63))), (200, 431));
    // It is read in pieces, so that its end is noticed a piece late.
    assert_eq!((ask(long(31 << 10)), ask(long(65 << 10))), (200, 431));
}

#[test]
fn a_connection_too_many_waits_until_another_ends() {
    let store = Store::new();
    let limits = Limits { connections: 1, ..Limits::default() };
    let server = Server::on(&store, "a", Options::new().limits(limits));
    let mut first = server.connect();
    assert_eq!(first.ask("GET", "/healthz", None).0, 200);
    let mut second = server.connect();
    let head = second.head("GET", "/healthz");
    second.write(&format!("{head}\r\n"));
    assert_eq!(first.ask("GET", "/healthz", None).0, 200);
    assert!(!second.is_answered_within(Duration::from_millis(300)));
    drop(first);
    assert_eq!(second.answer().0, 200);
}
