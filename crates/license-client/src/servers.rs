//! Several servers of one store, as if they were one: which is asked, and which next when it fails.
//!
//! One server is current. Its answer is judged: a success or a refusal is final. If the server cannot
//! decide (it does not answer, its store is away, it is stopping), the next one becomes current and is
//! asked at once. If no server could (the store is busy, too many requests), or all of them failed, the
//! whole round is repeated after a pause, until the caller's patience is over.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use license_types::{Problem, ProblemCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::moment::Moment;
use crate::transport::{Answer, Body, Question, Transport};
use crate::{Error, ServerUrl};

/// The first pause before all servers are tried again; it doubles up to the maximum.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// The servers of one store.
pub(crate) struct Servers {
    urls: Vec<ServerUrl>,
    /// The index of the server to ask.
    current: AtomicUsize,
    /// Whether any of them ever answered, or took a request and broke off.
    were_there: AtomicBool,
    transport: Transport,
}

/// What to make of the answer of one server.
enum Verdict {
    /// It is the answer.
    Final(Result<Answer, Error>),
    /// This server cannot answer, another one may.
    Elsewhere(Error),
    /// No server can answer now; perhaps after this time, if the server gave one.
    Later(Error, Option<Duration>),
}

impl Servers {
    pub(crate) fn new(urls: Vec<ServerUrl>, transport: Transport) -> Servers {
        let (current, were_there) = (AtomicUsize::new(0), AtomicBool::new(false));
        Servers { urls, current, were_there, transport }
    }

    /// Asks, and reads the answer as `T`; also gives when the request was sent. Every request may be
    /// sent twice, so one that fails is tried again, with any server, until `patience` is over.
    pub(crate) fn ask<T: DeserializeOwned>(
        &self,
        question: &Question,
        patience: Duration,
    ) -> Result<(T, Moment), Error> {
        let (answer, server) = self.answer(question, patience)?;
        let (sent, status) = (answer.sent, answer.status);
        let Body::Whole(body) = answer.body else {
            return Err(foreign(&server, status, "a stream where none was asked for"));
        };
        let value = serde_json::from_slice(&body);
        Ok((value.map_err(|error| foreign(&server, status, error))?, sent))
    }

    /// Asks until a server gives a final answer, or `patience` is over.
    pub(crate) fn answer(
        &self,
        question: &Question,
        patience: Duration,
    ) -> Result<(Answer, ServerUrl), Error> {
        let since = Instant::now();
        let mut pause = PAUSE_FIRST;
        loop {
            let mut failure = None;
            let mut asked_for = None;
            for _ in 0..self.urls.len() {
                let index = self.current.load(Ordering::Relaxed) % self.urls.len();
                let server = &self.urls[index];
                match self.judge(server, self.transport.ask(server, question)) {
                    Verdict::Final(answer) => return answer.map(|answer| (answer, server.clone())),
                    Verdict::Elsewhere(error) => {
                        failure = Some(error);
                        let next = (index + 1) % self.urls.len();
                        // If it changed meanwhile, another thread has moved on already.
                        let (order, current) = (Ordering::Relaxed, &self.current);
                        let _ = current.compare_exchange(index, next, order, order);
                    }
                    Verdict::Later(error, after) => {
                        (failure, asked_for) = (Some(error), after);
                        break;
                    }
                }
            }
            let spread = pause.mul_f64(0.5 + 0.5 * fastrand::f64());
            let rest = asked_for.map_or(spread, |asked| spread.max(asked.min(PAUSE_MAX)));
            if since.elapsed() + rest > patience {
                return Err(failure.unwrap_or(Error::Closed));
            }
            thread::sleep(rest);
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Whether any of them ever answered, or took a request and broke off: then it may come back.
    pub(crate) fn were_there(&self) -> bool {
        self.were_there.load(Ordering::Relaxed)
    }

    /// How long one request may take, unless it says otherwise.
    pub(crate) fn timeout(&self) -> Duration {
        self.transport.timeout
    }

    /// All of them, for messages.
    pub(crate) fn names(&self) -> String {
        let names: Vec<String> = self.urls.iter().map(ServerUrl::to_string).collect();
        names.join(", ")
    }

    fn judge(&self, server: &ServerUrl, answer: Result<Answer, ureq::Error>) -> Verdict {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                if broke_off(&error) {
                    self.were_there.store(true, Ordering::Relaxed);
                }
                let (servers, source) = (self.names(), Arc::new(error));
                return Verdict::Elsewhere(Error::Unreachable { servers, source });
            }
        };
        self.were_there.store(true, Ordering::Relaxed);
        match answer.status {
            200..=299 => return Verdict::Final(Ok(answer)),
            300..=399 => {
                let reason = "it points elsewhere, and no redirect is followed";
                return Verdict::Final(Err(foreign(server, answer.status, reason)));
            }
            _ => {}
        }
        let (status, retry_after) = (answer.status, answer.retry_after);
        match problem(answer.body) {
            // A license server has every path that this client asks for. So this is not one, or the
            // path in the address is wrong.
            Ok(Problem { code: ProblemCode::NotFound, detail, .. }) => {
                Verdict::Final(Err(foreign(server, status, detail)))
            }
            Ok(problem) => told(problem, retry_after),
            // A proxy in front of the server says that it is away.
            Err(reason) if matches!(status, 502..=504) => {
                Verdict::Elsewhere(foreign(server, status, reason))
            }
            Err(reason) => Verdict::Final(Err(foreign(server, status, reason))),
        }
    }
}

/// Whether a server took the connection and ended it without an answer. If nothing listens there, the
/// connection is refused instead.
fn broke_off(error: &ureq::Error) -> bool {
    let ureq::Error::Io(error) = error else { return false };
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
    )
}

/// What a problem means for which server to ask next.
fn told(problem: Problem, retry_after: Option<Duration>) -> Verdict {
    let code = problem.code;
    let error = Error::Problem(Box::new(problem));
    match code {
        ProblemCode::StoreUnavailable
        | ProblemCode::OutcomeUnknown
        | ProblemCode::ClockSkew
        | ProblemCode::Draining
        | ProblemCode::Internal => Verdict::Elsewhere(error),
        ProblemCode::StoreBusy | ProblemCode::TooManyRequests | ProblemCode::QueueFull => {
            Verdict::Later(error, retry_after)
        }
        ProblemCode::BadRequest
        | ProblemCode::Unauthorized
        | ProblemCode::NotPermitted
        | ProblemCode::SchemaViolation
        | ProblemCode::UnknownLicense
        | ProblemCode::AmbiguousLicense
        | ProblemCode::UnknownProduct
        | ProblemCode::LicenseExpired
        | ProblemCode::NoLicenseLeft
        | ProblemCode::NotRetained
        | ProblemCode::InUse
        | ProblemCode::NotFound
        | ProblemCode::MethodNotAllowed
        | ProblemCode::PayloadTooLarge
        | ProblemCode::UnsupportedMediaType
        | ProblemCode::LedgerFaulted => Verdict::Final(Err(error)),
    }
}

fn problem(body: Body) -> Result<Problem, String> {
    let body = match body {
        Body::Whole(body) => body,
        Body::Stream(_) => return Err("a stream".to_owned()),
    };
    serde_json::from_slice(&body).map_err(|error| match serde_json::from_slice(&body) {
        Ok(Unknown { code, detail }) => format!("{detail} ({code})"),
        Err(_) => error.to_string(),
    })
}

/// A problem of a server that is newer than this client, which does not know its code.
#[derive(Deserialize)]
struct Unknown {
    code: String,
    detail: String,
}

/// The error for an answer that no license server gives.
pub(crate) fn foreign(server: &ServerUrl, status: u16, reason: impl ToString) -> Error {
    Error::Foreign { server: server.to_string(), status, reason: reason.to_string() }
}
