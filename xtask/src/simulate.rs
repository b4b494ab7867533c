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
    let status = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--release", "-p", "license-tests", "--bin", "simulate", "--"])
        .args(words(arguments))
        .status()
        .context("cargo cannot be started")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The same arguments, as the program takes them.
fn words(arguments: &Arguments) -> Vec<String> {
    let Arguments { seeds, from, planted, tell } = arguments;
    let mut words = vec!["--seeds".to_owned(), seeds.to_string()];
    words.extend(["--from".to_owned(), from.to_string()]);
    words.extend(planted.iter().flat_map(|fault| ["--planted".to_owned(), fault.clone()]));
    words.extend(tell.iter().flat_map(|seed| ["--tell".to_owned(), seed.to_string()]));
    words
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn what_a_failing_seed_names_is_passed_on() {
        let again = "simulate --from 7 --seeds 1 --planted release-twice";
        let Line { arguments } = Line::try_parse_from(again.split(' ')).unwrap();
        let passed = ["--seeds", "1", "--from", "7", "--planted", "release-twice"];
        assert_eq!(words(&arguments), passed);
    }
}
