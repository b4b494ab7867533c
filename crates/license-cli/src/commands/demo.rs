//! `license demo`: a short, true session. Every command line that it shows is really run, and nothing of
//! the output is made up.

use std::ffi::OsString;

use license_pool::StoreUrl;
use license_types::ProblemCode;

use crate::arguments::{Demo, Sample};
use crate::context::Context;
use crate::environment::{Env, variables};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::text::escaped;

/// The store of the demo unless another is named; never the default store, which may hold real licenses.
const STORE: &str = "sqlite:license-demo.db";

/// Number of the sample license.
const NUMBER: &str = "DEMO-2001";

/// Titles, each with the command lines that follow it and the exit codes that these must have.
const STEPS: &[(&str, &[(&str, Exit)])] = &[
    (
        "A license for 15 clients (10 more have expired), one SQL connection and any REST session",
        &[("license demo --print license | license install -", Exit::Done)],
    ),
    (
        "Three kinds of session retain: a client, an SQL connection and a REST session",
        &[
            (
                "license demo --print client | \
                 license retain --product 0009 --session ws-12 --describe -",
                Exit::Done,
            ),
            (
                "license demo --print sql | \
                 license retain --product 0025 --session etl --describe -",
                Exit::Done,
            ),
            (
                "license demo --print rest | \
                 license retain --product 0007 --session portal --describe -",
                Exit::Done,
            ),
        ],
    ),
    (
        "Nothing is left for a second SQL connection",
        &[("license retain --product 0025 --session report", Exit::Refused)],
    ),
    ("Who holds what", &[("license usage", Exit::Done), ("license info", Exit::Done)]),
    (
        "What it writes is what the documented schemas ask for",
        &[
            ("license usage --json | license validate --profile documented -", Exit::Done),
            ("license info --json | license validate --profile documented -", Exit::Done),
        ],
    ),
    (
        "What is released can be retained again",
        &[
            ("license release --session etl", Exit::Done),
            ("license retain --product 0025 --session report", Exit::Done),
            ("license release --session report", Exit::Done),
        ],
    ),
];

pub(super) fn run(arguments: &Demo, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    if let Some(sample) = arguments.print {
        context.data(sample.text())?;
        return Ok(Exit::Done);
    }
    if context.json() {
        return Err(Failure::usage("the demo is for people and has no JSON form"));
    }
    let store = context.everywhere.store.clone().unwrap_or_else(|| STORE.to_owned());
    context.everywhere.store = Some(store.clone());
    refuse_other_stores(context)?;
    context.data(&format!("$ export {}={}\n", variables::LICENSE_STORE, escaped(&store)))?;
    for (title, lines) in STEPS {
        context.data(&format!("\n# {title}\n"))?;
        for (line, exit) in *lines {
            context.data(&format!("$ {line}\n"))?;
            show(line, *exit, &store, context)?;
        }
    }
    let text = what_next(context.typed.first(), &store);
    context.data(&text)?;
    Ok(Exit::Done)
}

/// Refuses stores that may hold real licenses, and `memory:`, which would be gone after each line.
fn refuse_other_stores(context: &Context<'_, '_>) -> Result<(), Failure> {
    match context.store_url()? {
        StoreUrl::Memory => Err(Failure::usage("the demo needs a store that outlives a command")
            .hint("leave --store out, or name a new file as sqlite:PATH")),
        StoreUrl::Postgres(_) => {
            Err(Failure::usage("the demo needs a store of its own, in a file")
                .hint("leave --store out, or name a new file as sqlite:PATH"))
        }
        StoreUrl::Sqlite(path) if !path.exists() => Ok(()),
        StoreUrl::Sqlite(path) => {
            let is_ours = match context.licenses()?.info() {
                Ok(info) => info.is_none_or(|info| info.license_number == NUMBER),
                Err(failure) if failure.code() == Some(ProblemCode::AmbiguousLicense) => false,
                Err(failure) => return Err(failure),
            };
            if is_ours {
                return Ok(());
            }
            let message = format!("{} holds another license than the demo's", path.display());
            Err(Failure::usage(message).hint("name a new file with --store sqlite:PATH"))
        }
    }
}

/// Runs one line and shows what it wrote.
fn show(
    line: &str,
    expected: Exit,
    store: &str,
    context: &mut Context<'_, '_>,
) -> Result<(), Failure> {
    let mut piped = Vec::new();
    let mut said = Vec::new();
    let mut exit = Exit::Done;
    for command in line.split(" | ") {
        let input = std::mem::take(&mut piped);
        let env = &mut *context.env;
        let mut variables = env.variables.clone();
        variables.insert(variables::LICENSE_STORE.into(), store.into());
        variables.remove(&OsString::from(variables::LICENSE_NUMBER));
        let mut inner = Env {
            stdin: &mut &input[..],
            stdout: &mut piped,
            stderr: &mut said,
            stdout_is_terminal: env.stdout_is_terminal,
            stderr_is_terminal: false,
            terminal_width: env.terminal_width,
            variables,
            directory: env.directory.clone(),
            user_name: env.user_name.clone(),
            clock: env.clock.clone(),
            stdout_is_read: env.stdout_is_read,
            wait: &mut *env.wait,
        };
        exit = crate::run(command.split_whitespace(), &mut inner);
    }
    context.data(&String::from_utf8_lossy(&piped))?;
    context.data(&String::from_utf8_lossy(&said))?;
    if exit != Exit::Done {
        context.data(&format!("(exit code {})\n", exit.code()))?;
    }
    if exit != expected {
        let code = exit.code();
        return Err(Failure::internal(format!("`{line}` ended with exit code {code}"))
            .hint("remove the demo's store and run it again"));
    }
    Ok(())
}

/// What to try next: lines that can be copied, with the program named as it was just called.
fn what_next(program: Option<&OsString>, store: &str) -> String {
    let plain = |text: &str| !text.contains(|c: char| c.is_whitespace() || c == '\'');
    let program = program.and_then(|program| program.to_str()).filter(|program| plain(program));
    let program = program.unwrap_or("license");
    let lines = [
        "usage --watch",
        "history",
        "release --token 1",
        "retain --product 0009 --session job-7 --json",
        "store check",
    ];
    let lines = lines.map(|line| format!("  {program} {line} --store {store}\n")).concat();
    format!("\nThe store stays. Try next:\n{lines}  {program} --help\n")
}

impl Sample {
    /// The document, embedded in this program.
    fn text(self) -> &'static str {
        match self {
            Sample::License => include_str!("../../demo/license.json"),
            Sample::Client => include_str!("../../demo/client.json"),
            Sample::Sql => include_str!("../../demo/sql.json"),
            Sample::Rest => include_str!("../../demo/rest.json"),
        }
    }
}
