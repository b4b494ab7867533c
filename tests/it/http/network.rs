//! The server over real connections: several servers, waiting, streams, slow clients, and its end.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use license_http::{Limits, Options, Running};
use license_pool::{Clock as _, CredentialRole, KeptCredential, Pool, SAMPLE_LICENSE, ServerName};
use serde_json::{Value, json};

use super::world::{World, described};
use crate::pool::world::{Store, clock, sample};

/// Much longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server on a free port, and how its administrator asks it.
struct Server {
    running: Running,
    pool: Pool,
    secret: String,
}

impl Server {
    fn on(store: &Store, name: &str, options: Options) -> Server {
        Server::with(store, Pool::options().server(ServerName::new(name).unwrap()), options)
    }

    fn with(store: &Store, pool: license_pool::Options, options: Options) -> Server {
        let pool = pool.serving().open(&store.url()).unwrap();
        if pool.licenses().unwrap().is_empty() {
            pool.install(SAMPLE_LICENSE.as_bytes()).unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let running = license_http::start(listener, pool.clone(), options).unwrap();
        let mut server = Server { running, pool, secret: String::new() };
        server.secret = server.credential(CredentialRole::Admin);
        server
    }

    fn connect(&self) -> Connection {
        Connection::to(&self.running, &self.secret)
    }

    /// One request on a connection of its own.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.connect().ask(method, path, body)
    }

    fn retain(&self, product: &str, session: &str) -> (u16, Value) {
        self.connect().retain(product, session, "")
    }

    /// An answer that is text.
    fn text(&self, path: &str) -> String {
        let mut connection = self.connect();
        let head = connection.head("GET", path);
        connection.write(&format!("{head}connection: close\r\n\r\n"));
        assert_eq!(connection.status().0, 200);
        let mut text = String::new();
        connection.stream.read_to_string(&mut text).unwrap();
        text
    }

    /// Comes when so many requests wait for a license at this server.
    fn waits(&self, count: usize) {
        let until = Instant::now() + PATIENCE;
        let line = format!("license_waiting {count}");
        while !self.text("/metrics").lines().any(|it| it == line) {
            assert!(Instant::now() < until, "never {line}");
        }
    }

    /// Another credential, by its secret.
    fn credential(&self, role: CredentialRole) -> String {
        let now = clock().now();
        let (kept, secret) = KeptCredential::make(role, None, now, None).unwrap();
        self.pool.keep_credential(kept).wait().unwrap();
        secret.reveal().to_owned()
    }
}

/// A connection that is kept.
struct Connection {
    stream: BufReader<TcpStream>,
    secret: String,
}

impl Connection {
    fn to(running: &Running, secret: &str) -> Connection {
        let stream = TcpStream::connect(running.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Connection { stream: BufReader::new(stream), secret: secret.to_owned() }
    }

    fn write(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn head(&self, method: &str, path: &str) -> String {
        let secret = &self.secret;
        format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {secret}\r\n")
    }

    fn ask(&mut self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let body = body.map(ToString::to_string).unwrap_or_default();
        let head = self.head(method, path);
        let length = body.len();
        self.write(&format!(
            "{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        ));
        self.answer()
    }

    fn retain(&mut self, product: &str, session: &str, query: &str) -> (u16, Value) {
        let path = format!("/v1/licenses/active/sessions/{session}/products/{product}{query}");
        self.ask("PUT", &path, Some(&json!({ "session": described(session) })))
    }

    fn answer(&mut self) -> (u16, Value) {
        let (status, length) = self.status();
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// The status of an answer and the length of its body, where it tells one.
    fn status(&mut self) -> (u16, usize) {
        let status = self.line();
        let mut length = 0;
        loop {
            let line = self.line();
            if let Some(told) = line.strip_prefix("content-length: ") {
                length = told.parse().unwrap();
            }
            if line.is_empty() {
                return (status[9..12].parse().unwrap(), length);
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The next line that tells something of an event.
    fn event(&mut self, field: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.stream.read_line(&mut line).unwrap();
            assert!(read > 0, "the stream ended");
            if let Some(value) = line.trim_end().strip_prefix(&format!("{field}: ")) {
                return value.to_owned();
            }
        }
    }

    /// Whether the server ends it, and does not only say nothing.
    fn is_ended(&mut self) -> bool {
        match self.stream.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }

    /// Whether anything comes within this time.
    fn is_answered_within(&mut self, time: Duration) -> bool {
        let stream = self.stream.get_ref();
        stream.set_read_timeout(Some(time)).unwrap();
        let is_answered = stream.peek(&mut [0]).is_ok();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        is_answered
    }
}

fn token(answer: &(u16, Value)) -> (u16, &Value) {
    (answer.0, &answer.1["retention"]["token"])
}

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
    server.pool.license("SAMPLE-0001").uninstall().unwrap();
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
fn a_connection_on_which_nothing_is_asked_is_let_go() {
    let store = Store::new();
    let limits = Limits { head: Duration::from_millis(300), ..Limits::default() };
    let server = Server::on(&store, "a", Options::new().limits(limits));
    let mut idle = server.connect();
    assert_eq!(idle.ask("GET", "/healthz", None).0, 200);
    assert!(idle.is_ended());
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
    assert_eq!(token(&kept.retain("0009", "job-7", "")), (200, &json!(1)));
    drop(kept);
    server.running.stop();
    assert_eq!(store.open().usage(None).unwrap().len(), 1);
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
