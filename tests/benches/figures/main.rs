//! Measures the figures that the project promises. Both sides of a ratio are measured in the same
//! run, in interleaved rounds, and each figure names its yardstick, since absolute figures wander.
//!
//! `cargo bench -p license-tests --bench figures -- [--json] [GOAL…]`

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on fails")]

mod clients;
mod figure;
mod http;
mod ledger;
mod noop;
mod past;
mod pool;
mod postgres;
mod renewals;
mod sharing;
mod start;
mod validate;

use std::io::{self, Write as _};
use std::process::ExitCode;

use figure::Figure;
use mimalloc::MiMalloc;

/// What the binary `license` has, for both sides of each ratio.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Measures the goals that are wanted, of those that a module knows.
type Measure = fn(&mut dyn FnMut(Figure));

const MODULES: &[(&[&str], Measure)] = &[
    (&["P1", "P2", "P3"], http::measure),
    (&["P3"], pool::measure_latency),
    (&["P4"], pool::measure_group_commit),
    (&["P5"], sharing::measure),
    (&["P6"], pool::measure_held),
    (&["P6"], http::measure_held),
    (&["P8"], postgres::measure),
    (&["P9"], http::measure_usage),
    (&["P6", "P7"], ledger::measure),
    (&["P10"], renewals::measure),
    (&["P11"], start::measure),
    (&["P11"], past::measure),
    (&["P12"], validate::measure_throughput),
    (&["P13"], validate::measure_instructions),
    (&["P14"], validate::measure_memory),
    (&["P14"], pool::measure_memory),
    (&["P14"], past::measure_ledgers),
];

fn main() -> io::Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.next_if(|first| first == start::LICENSE).is_some() {
        return Ok(start::run(arguments));
    }
    let mut json = false;
    let mut wanted = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--json" => json = true,
            // Cargo's own.
            "--bench" => {}
            goal if MODULES.iter().any(|(goals, _)| goals.contains(&goal)) => {
                wanted.push(goal.to_owned());
            }
            other => {
                writeln!(
                    io::stderr(),
                    "`{other}` is neither --json nor a goal that is measured here"
                )?;
                return Ok(ExitCode::from(2));
            }
        }
    }
    let is_wanted = |goal: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == goal);
    let mut out = io::stdout();
    let mut written = Ok(());
    for (goals, measure) in MODULES {
        if goals.iter().any(|goal| is_wanted(goal)) {
            measure(&mut |figure| {
                if is_wanted(figure.goal) && written.is_ok() {
                    written = figure.write(&mut out, json);
                }
            });
        }
    }
    written.map(|()| ExitCode::SUCCESS)
}
