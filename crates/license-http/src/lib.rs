//! The license server: HTTP API, page and metrics over a pool of licenses.
//!
//! [`serve`] answers on a listener until it is told to stop; [`start`] does so on a runtime of its
//! own. What can be asked is one table, `schemas/operations.json`: the routes, the roles, the
//! limits of bodies and the description at `/openapi.json` are made of it. Every request goes the
//! same way: `screen` (is it for us, from where it may come?), `routing` (what is asked?),
//! `parameters` (can it be read?), `credentials` (who asks, and may they?), and only then the
//! operation of `routes`.
//!
//! A server keeps nothing of its own: whatever it answers, the pool's store has said.
//!
//! # What it refuses
//!
//! Every request, before anything else: a `Host` that is no loopback name, not the address that the
//! connection came to and no [allowed host](Options::allowed_host) (403); an `Origin` other than that
//! host, or any `Sec-Fetch-Site` but `same-origin` and `none` (403); a body that is not declared as
//! `application/json` (415). No answer has CORS headers. Forwarded headers tell where a request
//! comes from only behind a [trusted proxy](Options::trusted_proxy); behind any other proxy nobody
//! is taken for a caller of this machine.
//!
//! | limit | value | answer |
//! |---|---|---|
//! | body | 64 KiB, of a license 1 MiB | 413 |
//! | depth of JSON | 127 | 400 |
//! | each text of a session, and the reason | 1024 characters, none of them U+0000 | 400 |
//! | sessions in a list to renew | 1000 | 400 |
//! | time to wait for a license | 600 s; who asks again keeps its place | 409 |
//! | sessions that wait for a product at once | 1000, of one credential 500 | 503 |
//! | head of a request | 64 headers, about 32 KiB | 431, closed |
//! | time for a head, and between two requests | [30 s](Limits::head) | closed |
//! | time for a body | [30 s](Limits::body) | 400 |
//! | time without taking any of an answer | [30 s](Limits::write) | closed |
//! | connections at once | [1024](Limits::connections) | the next waits |
//! | streams of events at once | [256](Limits::streams) | 429 |
//! | requests of a credential | [10,000 a second](Limits::requests_per_second), twice as many at once | 429 |
//! | requests of an address with wrong credentials | [30 a minute](Limits::failures_per_minute) | 429 |
//!
//! What the store says of credentials is believed for a quarter of a second: so long after its
//! revocation one may still be answered. Its streams of events and its waits for a license end within
//! two seconds.

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
