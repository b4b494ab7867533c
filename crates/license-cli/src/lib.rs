//! The command line of the license engine: installs, retains, releases, reports and validates.
//!
//! [`run`] is the whole program without the process around it: streams, clock, variables and directory
//! come from an [`Env`], so tests run commands in-process, with a clock of their own.
//!
//! How a command is run:
//!
//! 1. `arguments` parses what was typed. Its doc comments are the help texts.
//! 2. `context` finds out what the command acts on: with `--server` a server, otherwise a store. Either
//!    gives the command the same trait, `Licenses`: `server` implements it with the client of the HTTP
//!    API, `store` with a pool that acts as the reserved server `local`.
//! 3. `commands` has a file for each command. It asks the trait and prints the answer, so that it is
//!    the same through a server as on a store. What only a store can do (copy, check, credentials) asks
//!    `context` for the store itself.
//! 4. Whatever goes wrong becomes a `failure`: one problem code decides the exit code, the hint and
//!    what `--json` prints.

mod anonymize;
mod arguments;
mod commands;
mod context;
mod environment;
mod exit;
mod exports;
mod failure;
mod figures;
mod input;
mod instant;
mod licenses;
mod output;
mod retold;
mod server;
#[cfg(unix)]
mod signals;
mod span;
mod store;
mod store_address;
mod user_name;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use arguments::Arguments;
use context::{Context, say};
use failure::Failure;

pub use environment::{Env, variables};
pub use exit::Exit;
pub use user_name::user_name;

/// The width of help texts when there is no terminal to tell.
const HELP_WIDTH: usize = 100;

/// Runs `license` with these arguments, the name of the program first.
pub fn run(arguments: impl IntoIterator<Item = impl Into<OsString>>, env: &mut Env<'_>) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let json = asks_for_json(&arguments);
    let done = match parse(&arguments, env) {
        Ok(Arguments { everywhere, command }) => {
            commands::run(&command, &mut Context { env, everywhere, typed: &arguments })
        }
        Err(error) => {
            not_parsed(&error, env).map_err(|failure| match starts_a_program(&arguments) {
                true => failure.in_one_line(),
                false => failure,
            })
        }
    };
    let done = done.and_then(|exit| match env.stdout.flush() {
        Ok(()) => Ok(exit),
        Err(error) => Err(context::not_written(error)),
    });
    done.unwrap_or_else(|failure| tell(&failure, json, env))
}

fn parse(arguments: &[OsString], env: &Env<'_>) -> Result<Arguments, clap::Error> {
    let width = env.terminal_width.map_or(HELP_WIDTH, usize::from);
    let mut command = Arguments::command().term_width(width);
    let matches = command.try_get_matches_from_mut(arguments)?;
    Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Prints the help that was asked for, or fails because the arguments are wrong.
fn not_parsed(error: &clap::Error, env: &mut Env<'_>) -> Result<Exit, Failure> {
    let rendered = error.render();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let text = match env.stdout_is_terminal && env.colors() {
                true => rendered.ansi().to_string(),
                false => rendered.to_string(),
            };
            env.stdout.write_all(text.as_bytes()).map_err(context::not_written)?;
            Ok(Exit::Done)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = write!(env.stderr, "{rendered}");
            Ok(Exit::Usage)
        }
        _ => Err(Failure::usage(rendered.to_string().trim_start_matches("error: ").trim_end())),
    }
}

/// Says on stderr why a command failed, and on stdout too if JSON was asked for.
fn tell(failure: &Failure, json: bool, env: &mut Env<'_>) -> Exit {
    if let Failure::Told(told) = failure {
        say(env, &failure.to_string());
        if json {
            let _ = env.stdout.write_all(output::json(&told.problem).as_bytes());
            let _ = env.stdout.flush();
        }
    }
    failure.exit()
}

/// Whether JSON was asked for. Looks at the raw arguments, since they may fail to parse.
fn asks_for_json(arguments: &[OsString]) -> bool {
    ours(arguments).any(|argument| argument == "--json")
}

/// Whether the command is `run`, whose failures fit on one line. Looks at the raw arguments, since they
/// may fail to parse.
fn starts_a_program(arguments: &[OsString]) -> bool {
    ours(arguments).any(|argument| argument == "run")
}

/// The arguments before `--`, which are for us.
fn ours(arguments: &[OsString]) -> impl Iterator<Item = &OsString> {
    arguments.iter().take_while(|argument| *argument != "--")
}
