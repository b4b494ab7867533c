//! Runs the simulation. It is a program of its own, as the benchmarks are.

use std::process::{Command, ExitCode};

use anyhow::Context as _;

/// Which worlds to run.
#[derive(clap::Args)]
pub struct Arguments {
    /// How many seeds to run.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    from: u64,
    /// Plants a fault, which must be found.
    #[arg(long, value_name = "FAULT")]
    planted: Option<String>,
    /// Runs this seed alone and tells what happens in it.
    #[arg(long, value_name = "SEED")]
    tell: Option<u64>,
}

/// Runs the seeds; exits with 1 when one fails, and tells how to see it again.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Arguments { seeds, from, planted, tell } = arguments;
    let status = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--release", "-p", "license-tests", "--bin", "simulate", "--"])
        .args(["--seeds", &seeds.to_string(), "--from", &from.to_string()])
        .args(planted.iter().flat_map(|fault| ["--planted", fault]))
        .args(tell.iter().flat_map(|seed| ["--tell".to_owned(), seed.to_string()]))
        .status()
        .context("cargo cannot be started")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
