//! A server that follows a script: what comes in is written down, and the test says what goes out.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// What came in.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Method and path.
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What goes out.
pub(crate) enum Reply {
    Json(u16, Value),
    /// A status line with headers, and a body.
    Raw(String),
    /// Nothing: the connection is cut.
    Cut,
    /// Nothing, for as long as the test lasts.
    Silence,
}

pub(crate) struct Stub {
    pub(crate) url: String,
    requests: Receiver<Request>,
}

impl Stub {
    /// Listens on a free port.
    pub(crate) fn new(script: impl FnMut(&Request) -> Reply + Send + 'static) -> Stub {
        Stub::after(0, script)
    }

    /// Answers nobody before so many connections are made.
    pub(crate) fn after(
        connections: usize,
        script: impl FnMut(&Request) -> Reply + Send + 'static,
    ) -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = channel();
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(script));
        thread::spawn(move || {
            let first: Vec<_> = listener.incoming().take(connections).collect();
            for connection in first.into_iter().chain(listener.incoming()) {
                let (script, sender) = (script.clone(), sender.clone());
                thread::spawn(move || serve(connection.unwrap(), &script, &sender));
            }
        });
        Stub { url, requests }
    }

    /// The next request, which must come.
    pub(crate) fn next(&self) -> Request {
        self.requests.recv_timeout(Duration::from_secs(60)).expect("a request never came")
    }

    /// The requests that came, without those that ask which licenses there are.
    pub(crate) fn lines(&self) -> Vec<String> {
        let lines = self.requests.try_iter().map(|request| request.line);
        lines.filter(|line| line != "GET /v1/licenses").collect()
    }
}

type Script = dyn FnMut(&Request) -> Reply + Send;

/// An address where nobody listens.
pub(crate) fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn serve(mut connection: TcpStream, script: &Mutex<Script>, seen: &Sender<Request>) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    while let Some(request) = read(&mut reader) {
        let reply = match request.line.as_str() {
            "GET /v1/licenses" => Reply::Json(200, json!([license()])),
            _ => (script.lock().unwrap())(&request),
        };
        let _ = seen.send(request);
        let text = match reply {
            Reply::Json(status, body) => raw(status, "application/json", &body.to_string()),
            Reply::Raw(text) => text,
            Reply::Cut => return,
            Reply::Silence => {
                let _ = reader.read_to_end(&mut Vec::new());
                return;
            }
        };
        if connection.write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

pub(crate) fn raw(status: u16, kind: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|&read| read > 0)?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let line = first.rsplit_once(' ').unwrap().0.to_owned();
    Some(Request { line, headers, body })
}

fn license() -> Value {
    json!({"licenseNumber": "N-1", "name": "4D Server", "companyName": "Example"})
}

/// A grant of the product 0009 to whoever asked, to be renewed after a second.
pub(crate) fn granted(token: u64) -> Reply {
    Reply::Json(
        201,
        json!({
            "retention": {
                "productId": 808464441, "productName": "4D Client", "productUsedCount": 1,
                "productBalance": 9, "globalProductUsedCount": 1, "token": token,
                "time": "2026-01-05T10:00:00Z", "reason": "CLIENT",
                "session": {"userName": "ann", "sessionID": "job-7", "IPAddress": "127.0.0.1",
                    "isDatastore": false}
            },
            "lease": lease()
        }),
    )
}

pub(crate) fn lease() -> Value {
    json!({"leaseSeconds": 15, "renewAfterSeconds": 1, "expiresAt": "2026-01-05T10:00:15Z"})
}

pub(crate) fn renewed(session: &str, token: u64) -> Reply {
    let held = json!([{"productId": 808464441, "token": token, "lease": lease()}]);
    Reply::Json(200, json!({"sessions": [{"sessionId": session, "held": held}]}))
}

pub(crate) fn released(token: u64) -> Reply {
    let released = json!({"productId": 808464441, "token": token,
        "time": "2026-01-05T10:00:01Z", "cause": "released"});
    Reply::Json(200, json!({"released": [released]}))
}

pub(crate) fn problem(status: u16, code: &str) -> Reply {
    Reply::Json(status, problem_of(status, code))
}

/// A problem that says after how many seconds to ask again.
pub(crate) fn problem_for(seconds: u32, status: u16, code: &str) -> Reply {
    let answer = raw(status, "application/problem+json", &problem_of(status, code).to_string());
    Reply::Raw(answer.replacen("\r\n", &format!("\r\nretry-after: {seconds}\r\n"), 1))
}

pub(crate) fn problem_of(status: u16, code: &str) -> Value {
    json!({"type": "about:blank", "title": code, "status": status, "code": code,
        "detail": format!("the server says {code}")})
}
