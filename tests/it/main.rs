//! Whole-system and conformance tests, one module a theme.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on fails, and some print what they counted"
)]

mod browser;
mod cli;
mod counted;
mod demo;
mod differential;
mod documents;
mod faults;
mod figures;
mod fuzz;
mod histories;
mod http;
mod layers;
mod model;
mod outside;
mod packaging;
mod pool;
#[cfg(unix)]
mod postgres;
#[cfg(unix)]
mod processes;
mod readme;
mod scripts;
mod simulation;
mod snapshots;
mod tally;
mod types;
mod validate;
mod worlds;
