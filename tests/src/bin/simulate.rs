//! Runs the simulation over many seeds, on every core. Exits with 1 when a seed fails, and says how to
//! see it again.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program says what it found")]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

use license_tests::simulation::{self, Failure, Planted, Tally};

const USAGE: &str = "simulate [--seeds N] [--from SEED] [--planted FAULT] [--tell SEED]";

struct Arguments {
    seeds: u64,
    from: u64,
    planted: Option<Planted>,
    /// The one seed to run and to tell of.
    told: Option<u64>,
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(wrong) => {
            let faults: Vec<&str> = Planted::ALL.iter().map(|planted| planted.name()).collect();
            eprintln!("{wrong}\n\nUsage: {USAGE}\nFaults: {}", faults.join(", "));
            return ExitCode::from(2);
        }
    };
    let Arguments { seeds, from, planted, told } = arguments;
    if let Some(seed) = told {
        return match simulation::tell(seed, planted) {
            Ok(_) => ExitCode::SUCCESS,
            Err(failure) => {
                println!("FAILED: {failure}");
                ExitCode::FAILURE
            }
        };
    }
    let began = Instant::now();
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let found: Mutex<(Tally, u64, Option<Failure>)> = Mutex::default();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    let place = next.fetch_add(1, Relaxed);
                    if place >= seeds {
                        break;
                    }
                    let run = simulation::run(from + place, planted);
                    let mut found = found.lock().expect("no run panics while it holds this");
                    match run {
                        Ok(tally) => {
                            found.0 += tally;
                            found.1 += 1;
                        }
                        Err(failure) => {
                            stop.store(true, Relaxed);
                            // The lowest seed of those that failed at the same time.
                            if found.2.as_ref().is_none_or(|known| failure.seed < known.seed) {
                                found.2 = Some(failure);
                            }
                        }
                    }
                }
            });
        }
    });
    let (tally, runs, failure) = found.into_inner().expect("no run panics while it holds this");
    let seconds = began.elapsed().as_secs_f64();
    println!("{runs} seeds in {seconds:.1} s, {:.0} steps a second", tally.steps as f64 / seconds);
    println!("{tally}");
    let Some(failure) = failure else { return ExitCode::SUCCESS };
    println!("FAILED: {failure}");
    let planted = planted.map(|fault| format!(" --planted {}", fault.name())).unwrap_or_default();
    println!("Again: cargo xtask simulate --from {} --seeds 1{planted}", failure.seed);
    ExitCode::FAILURE
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments { seeds: 10_000, from: 0, planted: None, told: None };
    let mut given = std::env::args().skip(1);
    while let Some(flag) = given.next() {
        let value = given.next().ok_or(format!("{flag} needs a value"))?;
        let number = || value.parse().map_err(|_| format!("{flag} needs a number, not `{value}`"));
        match &*flag {
            "--seeds" => arguments.seeds = number()?,
            "--from" => arguments.from = number()?,
            "--tell" => arguments.told = Some(number()?),
            "--planted" => {
                let planted = Planted::named(&value);
                arguments.planted = Some(planted.ok_or(format!("there is no fault `{value}`"))?);
            }
            _ => return Err(format!("there is no flag `{flag}`")),
        }
    }
    Ok(arguments)
}
