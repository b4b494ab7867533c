//! The license server: HTTP API, page and metrics over a pool of licenses.
//!
//! [`serve`] answers on a listener until it is told to stop; [`start`] does so on a runtime of its
//! own. What can be asked is one table, `schemas/operations.json`: the routes, the roles, the
//! limits of bodies and the description at `/openapi.json` are made of it. Every request goes the
//! same way: `screen` (is it for us, from where it may come?), `parameters` (can it be read?),
//! `credentials` (who asks, and may they?), and only then the operation of `routes`.
//!
//! A server keeps nothing of its own: whatever it answers, the pool's store has said.

mod answer;
mod app;
mod assets;
mod call;
#[cfg(debug_assertions)]
mod checked;
mod credentials;
mod failure;
#[rustfmt::skip]
mod generated;
mod limits;
mod metrics;
mod operation;
mod options;
mod parameters;
mod pipeline;
mod routes;
mod screen;
mod serve;
mod state;
mod tls;

pub use app::app;
pub use limits::Limits;
pub use options::Options;
pub use screen::Ends;
pub use serve::{Running, serve, start};
pub use tls::{Certificate, CertificateError};
