//! What must hold for any bytes at all. Each function takes one input and panics where it does not.
//!
//! cargo-fuzz looks for such inputs (`README.md` beside this package); the ordinary tests run all of
//! this on the seeds that lie here.

#![allow(clippy::unwrap_used, reason = "what goes wrong here is a finding")]

mod documents;
mod ledgers;
mod streams;

pub use documents::{license, page, validator};
pub use ledgers::{entries, pool};
pub use streams::{packed, stream};

/// What can be fuzzed, by the name of its directory of seeds.
pub const TARGETS: [(&str, fn(&[u8])); 7] = [
    ("entries", entries),
    ("license", license),
    ("packed", packed),
    ("page", page),
    ("pool", pool),
    ("stream", stream),
    ("validator", validator),
];
