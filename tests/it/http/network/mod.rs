//! The server over real connections.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use license_http::{Options, Running};
use license_pool::{Clock as _, CredentialRole, KeptCredential, Pool, SAMPLE_LICENSE, ServerName};
use serde_json::{Value, json};

use super::world::described;
use crate::pool::world::{Store, clock};

mod connections;
mod servers;
mod streams;

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
