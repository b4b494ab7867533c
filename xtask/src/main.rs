//! The project's chores, run as `cargo xtask …`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::{bench, codegen, fuzz_http, pages, simulate};

/// The project's chores.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Compare documented pages with the schemas, or derive a schema from one.
    Pages(pages::Arguments),
    /// Write what is generated from the schemas: types, observed schemas, reference pages.
    Codegen(codegen::Arguments),
    /// Measure the figures that the project promises, each beside its yardstick.
    Bench(bench::Arguments),
    /// Run servers, clients and stores in trouble, from seeds, and judge every reply.
    Simulate(simulate::Arguments),
    /// Let a fuzzer from outside try to break the server, by what its description says.
    FuzzHttp(fuzz_http::Arguments),
}

fn main() -> ExitCode {
    run(Arguments::parse().chore).unwrap_or_else(|error| {
        // In one line, without the backtrace that some have on: it names the place and the cure.
        let _ = writeln!(io::stderr(), "error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(chore: Chore) -> anyhow::Result<ExitCode> {
    match chore {
        Chore::Pages(arguments) => pages::run(&arguments),
        Chore::Codegen(arguments) => codegen::run(&arguments),
        Chore::Bench(arguments) => bench::run(&arguments),
        Chore::Simulate(arguments) => simulate::run(&arguments),
        Chore::FuzzHttp(arguments) => fuzz_http::run(&arguments),
    }
}
