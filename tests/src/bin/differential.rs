//! Compares the validator of bytes with the reference on made-up documents:
//! `cargo run --release -p license-tests --bin differential -- [--seed N] [--documents N]`, a million
//! of them if nothing else is said.
//!
//! Document `i` of a run comes from the seed `N + i`, so each can be made again alone.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to its user")]

use std::process::ExitCode;

use license_tests::differential::{Disagreement, Subject, Tally, compare, compare_streams};

/// Documents between two lines of progress.
const LEAP: u64 = 1_000_000;

fn main() -> ExitCode {
    let mut seed = 0;
    let mut documents = LEAP;
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let number = arguments.next().and_then(|text| text.parse().ok());
        match (name.as_str(), number) {
            ("--seed", Some(number)) => seed = number,
            ("--documents", Some(number)) => documents = number,
            _ => {
                eprintln!("usage: differential [--seed N] [--documents N]");
                return ExitCode::from(2);
            }
        }
    }
    match run(seed, documents) {
        Ok(tally) => {
            println!("{tally}; no disagreement");
            ExitCode::SUCCESS
        }
        Err(disagreement) => {
            println!("{disagreement}");
            ExitCode::FAILURE
        }
    }
}

fn run(seed: u64, documents: u64) -> Result<Tally, Disagreement> {
    let subjects = Subject::all();
    let mut tally = Tally::default();
    let end = seed + documents;
    for start in (seed..end).step_by(LEAP.try_into().expect("it fits")) {
        let leap = start..end.min(start + LEAP);
        // A stream holds several documents and is judged twice: one for every hundred is plenty.
        compare_streams(leap.clone().step_by(100))?;
        tally += compare(&subjects, leap)?;
        eprintln!("{tally}");
    }
    Ok(tally)
}
