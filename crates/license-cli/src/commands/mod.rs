//! The commands, a file for each: it reads its flags, asks the licenses and prints the answer.

mod available;
mod completions;
mod credential;
mod demo;
mod history;
mod info;
mod install;
mod man;
mod release;
mod renew;
mod report;
mod retain;
#[cfg(unix)]
mod run;
mod schema;
mod serve;
mod servers;
mod store;
mod stored_report;
mod usage;
mod validate;

use crate::arguments::Command;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Runs one command.
pub(crate) fn run(command: &Command, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    match command {
        Command::Serve(arguments) => serve::run(arguments, context),
        Command::Install(arguments) => install::run(arguments, context),
        Command::Info(_) => info::run(context),
        Command::Usage(arguments) => usage::run(arguments, context),
        Command::Available(arguments) => available::run(arguments, context),
        Command::Retain(arguments) => retain::run(arguments, context),
        #[cfg(unix)]
        Command::Run(arguments) => run::run(arguments, context),
        Command::Renew(arguments) => renew::run(arguments, context),
        Command::Release(arguments) => release::run(arguments, context),
        Command::History(arguments) => history::run(arguments, context),
        Command::Report(arguments) => report::run(arguments, context),
        Command::Servers(arguments) => servers::run(arguments, context),
        Command::Store(arguments) => store::run(arguments, context),
        Command::Credential(arguments) => credential::run(arguments, context),
        Command::Validate(arguments) => validate::run(arguments, context),
        Command::Schema(arguments) => schema::run(arguments, context),
        Command::Demo(arguments) => demo::run(arguments, context),
        Command::Completions(arguments) => completions::run(arguments, context),
        Command::Man(arguments) => man::run(arguments, context),
    }
}
