//! Whole-system and conformance tests, one module a theme.

mod layers;
mod types;
