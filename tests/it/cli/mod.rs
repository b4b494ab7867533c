//! The command line, run in-process with a clock of its own: what it prints, says and returns.

mod clock;
mod copies;
mod credentials;
mod engine;
mod exits;
mod exported;
mod followed;
mod help;
mod history;
mod hostile;
mod install;
mod json;
mod narrowed;
mod proven;
mod reports;
mod retain;
mod server;
pub(crate) mod shell;
mod validate;
mod watch;
