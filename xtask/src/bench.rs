//! Measures the project's figures. They are measured by a program of their own, since this one must
//! work when what it generates does not compile.

use std::process::{Command, ExitCode};

use anyhow::Context as _;

/// What to measure.
#[derive(clap::Args)]
pub struct Arguments {
    /// Prints one JSON object a line.
    #[arg(long)]
    json: bool,
    /// The goals to measure, such as P4; all of them where none is named.
    goals: Vec<String>,
}

/// Measures, and exits with 0 when that was done, whether the goals are met or not.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let status = Command::new(env!("CARGO"))
        .args(["bench", "--quiet", "-p", "license-tests", "--bench", "figures", "--"])
        .args(arguments.json.then_some("--json"))
        .args(&arguments.goals)
        .status()
        .context("cargo cannot be started")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
