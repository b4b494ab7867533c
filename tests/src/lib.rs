//! Whole-system and conformance tests live in `it`; here the README's Rust examples run as doctests.

/// The landing page.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
