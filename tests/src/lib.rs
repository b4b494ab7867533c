//! What the whole-system and conformance tests in `it` share with the commands beside them; the
//! README's Rust examples run here as doctests.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub mod around;
pub mod callers;
pub mod differential;
pub mod hostile;
pub mod load;
pub mod measure;
pub mod records;
pub mod simulation;

/// The landing page.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
