//! What must hold for any bytes at all. Each function takes one input and panics where it does not.
//!
//! cargo-fuzz looks for such inputs (`README.md` beside this package); the ordinary tests run all of
//! this on the seeds that lie here.

#![allow(clippy::unwrap_used, reason = "what goes wrong here is a finding")]

mod documents;
mod ledgers;
mod network;
mod streams;

pub use documents::{license, page, validator};
pub use ledgers::{entries, pool};
pub use network::{answer, request};
pub use streams::{packed, stream};

/// The name of a target and of its directory of seeds, and what must hold there.
pub type Target = (&'static str, fn(&[u8]));

/// What can be fuzzed.
pub const TARGETS: [Target; 9] = [
    ("answer", answer),
    ("entries", entries),
    ("license", license),
    ("packed", packed),
    ("page", page),
    ("pool", pool),
    ("request", request),
    ("stream", stream),
    ("validator", validator),
];
