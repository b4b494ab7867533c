//! The license server: HTTP API, dashboard and metrics over a pool of licenses.
//!
//! [`serve`] answers on a listener until it is told to stop; [`start`] does so on a runtime of its
//! own. One table, `schemas/operations.json`, lists all operations; routes, roles, limits of bodies and
//! the description at `/openapi.json` are generated from it. Every request takes the same steps, in
//! `pipeline`: `screen` (is it for this server, and may it come from there?), `routing` (which operation
//! is it?), `parameters` (can it be read?), `credentials` (who asks, and may they?), and only then the
//! operation itself, in `routes`.
//!
//! A server has no state of its own: everything that it answers comes from the pool's store.
//!
//! # Answers that take long
//!
//! Usage and history are sent in pages as they are read, events as they happen, and a retain with
//! `?wait=` is answered when a license is free. None of them may outlive what it depends on:
//!
//! - Waits and streams of events end within two seconds after the caller's credential does, and as soon
//!   as the server begins to stop. A client then goes on at another server: a wait by asking again, a
//!   stream from the last `id` that it has seen.
//! - Usage and history break off when they cannot be sent to their end, so that nobody takes a part for
//!   the whole.
//! - A client that does not read is cut off after a while, and streams of events are bounded in number.
//!
//! # What it refuses
//!
//! Before anything else, a request is refused for a `Host` that is neither a loopback name, nor the
//! address that the connection was made to, nor an [allowed host](Options::allowed_host) (403); for an
//! `Origin` other than that host, or any `Sec-Fetch-Site` but `same-origin` and `none` (403); and for a
//! body that is not declared as `application/json` (415). No answer has CORS headers. Forwarded headers
//! are believed only from a [trusted proxy](Options::trusted_proxy); a request that came through any
//! other proxy never counts as one from this machine.
//!
//! | limit | value | answer |
//! |---|---|---|
//! | body | 64 KiB, of a list to renew 256 KiB, of a license 1 MiB | 413 |
//! | depth of JSON | 127 | 400 |
//! | each text of a session, and the reason | 1024 characters, none of them U+0000 | 400 |
//! | sessions in a list to renew | 1000 | 400 |
//! | time to wait for a license | 600 s; asking again keeps the place in line | 409 |
//! | sessions that wait for a product at once | 1000, of one credential 500 | 503 |
//! | head of a request | 64 headers, about 32 KiB | 431, closed |
//! | time for a head, and between two requests | [30 s](Limits::head) | closed |
//! | time for a body | [30 s](Limits::body) | 400 |
//! | time without reading any of an answer | [30 s](Limits::write) | closed |
//! | connections at once | [1024](Limits::connections) | the next waits |
//! | streams of events at once | [256](Limits::streams) | 429 |
//! | requests of a credential | [10,000 a second](Limits::requests_per_second), twice as many at once | 429 |
//! | requests of an address with wrong credentials | [30 a minute](Limits::failures_per_minute) | 429 |
//!
//! What a client still sends when it was answered for the last time is read and thrown away, as long as a
//! body may take and with no pause above two seconds, so that it sees the answer and no reset connection.
//!
//! Credentials are cached for a quarter of a second, so one may still be answered for that long after it
//! was revoked.

mod answer;
mod app;
mod assets;
mod call;
mod checked;
mod credentials;
mod failure;
#[rustfmt::skip]
mod generated;
pub mod guide;
mod limits;
mod metrics;
mod operation;
mod options;
mod parameters;
mod pipeline;
mod plain;
mod routes;
mod routing;
mod screen;
mod serve;
mod state;
mod tls;
mod usage_log;

pub use app::app;
pub use limits::Limits;
pub use options::Options;
pub use screen::Ends;
pub use serve::{Ended, Running, serve, start};
pub use tls::{Certificate, CertificateError};
