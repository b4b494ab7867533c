//! The command line as it is typed: commands and flags. The doc comments here are the help texts.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use license_types::{Invalid, ProductId, Reason, ServerName, SessionId, SessionState, Token};

use crate::span::Span;

mod judging;
mod past;
mod serving;

pub(crate) use judging::{Asked, Schema, Validate};
pub(crate) use past::{Anonymized, Counted, History, Report};
pub(crate) use serving::{
    CreateCredential, CredentialCommand, Credentials, LogFormat, RevokeCredential, Serve,
};

/// Retains and releases licenses, never more than were bought, and shows who holds them.
#[derive(Debug, Parser)]
#[command(
    name = "license",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 100,
    after_help = AFTER_HELP
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub everywhere: Everywhere,
    #[command(subcommand)]
    pub command: Command,
}

const AFTER_HELP: &str = "\
First steps:
  license demo                    a short, true session on a store of its own
  license install license.json    creates the store and installs a license
  license retain --product 0009 --session job-7
  license usage                   who holds what

Exit codes:
  0  done (validate: all valid; available: true)
  1  our fault
  2  wrong usage, unreadable or malformed input
  3  refused, or nothing to release (validate: violations; available: false)
  4  the store or the server cannot be reached";

/// What every command understands, before or after its name.
#[derive(Args, Debug)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Everywhere {
    /// The store: `sqlite:PATH`, `postgres://…` or `memory:` [env: LICENSE_STORE] [default:
    /// sqlite:license.db]
    #[arg(long, global = true, value_name = "URL")]
    pub store: Option<String>,
    /// Acts through a server instead, such as http://127.0.0.1:7427; through the next one of
    /// several of the same store, parted by commas, when one fails [env: LICENSE_SERVER]
    #[arg(long, global = true, value_name = "URL", value_delimiter = ',')]
    pub server: Vec<String>,
    /// The file with the credential for the server [env: LICENSE_CREDENTIAL_FILE, or the credential
    /// itself in LICENSE_CREDENTIAL]
    #[arg(long, global = true, value_name = "FILE")]
    pub credential_file: Option<PathBuf>,
    /// The authorities that vouch for the server, a file in PEM [env: LICENSE_CA_FILE] [default:
    /// those that the machine trusts]
    #[arg(long, global = true, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// The license, where several are installed [env: LICENSE_NUMBER] [default: the only one]
    #[arg(long, global = true, value_name = "NUMBER")]
    pub license_number: Option<String>,
    /// Prints the documented JSON value on stdout and nothing around it
    #[arg(long, global = true)]
    pub json: bool,
}

/// The commands, one variant and one file of `commands` each.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(Serve),
    Install(Install),
    Info(Info),
    Usage(Usage),
    Available(Available),
    Retain(Retain),
    #[cfg(unix)]
    Run(Run),
    Renew(Renew),
    Release(Release),
    History(History),
    Report(Report),
    Servers(Servers),
    Store(Store),
    Credential(Credentials),
    Validate(Validate),
    Schema(Schema),
    Demo(Demo),
    Completions(Completions),
    Man(Man),
}

/// Installs a license, or replaces one; creates the store where there is none
///
/// The document is JSON of the License info shape. The same number again replaces the grants and
/// keeps retentions, tokens and history; an identical document changes nothing.
#[derive(Args, Debug)]
pub(crate) struct Install {
    /// The license document, `-` for stdin
    pub file: PathBuf,
    /// Number of the installed license that this one replaces under a new number
    #[arg(long, value_name = "NUMBER")]
    pub replaces: Option<String>,
    /// Shows what would change and changes nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Shows the installed license with its live counters
#[derive(Args, Debug)]
pub(crate) struct Info {}

/// Shows who holds which license now, or held one when a report was exported
#[derive(Args, Debug)]
pub(crate) struct Usage {
    #[command(flatten)]
    pub exports: Exports,
    /// Only this product, such as 0009 or 808464441
    #[arg(long, value_name = "ID")]
    pub product: Option<ProductId>,
    /// Only what this server serves; commands such as `license retain` are `local`
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<ServerName>,
    /// Shows it again until interrupted: every second on a terminal, else whenever it changes
    #[arg(long, conflicts_with = "from")]
    pub watch: bool,
}

/// Reports that were exported, instead of a store.
#[derive(Args, Debug)]
pub(crate) struct Exports {
    /// Reads exported reports instead of the store, `-` for stdin: JSON or NDJSON, also
    /// compressed (gzip, zstd), of this program or of a 4D Server
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub from: Vec<PathBuf>,
    /// When the file was exported, once for each in their order [default: when the file was last
    /// modified; for stdin now]
    #[arg(long, value_name = "TIME", requires = "from", value_parser = timestamp)]
    pub at: Vec<Timestamp>,
}

/// Tells whether a license of a product can be retained now: exit code 0 or 3
#[derive(Args, Debug)]
pub(crate) struct Available {
    /// The product, such as 0009 or 808464441
    #[arg(value_name = "ID")]
    pub product: ProductId,
}

/// Retains a license of a product for a session
///
/// Asking again for the same session and product is no error: it answers with the same record.
#[derive(Args, Debug)]
pub(crate) struct Retain {
    /// The product, such as 0009 or 808464441
    #[arg(long, value_name = "ID")]
    pub product: ProductId,
    /// Your own name of the session: 1 to 128 of letters, digits and ._:@-
    #[arg(long, value_name = "ID", value_parser = session)]
    pub session: SessionId,
    /// Who or what asks
    #[arg(long, value_name = "TEXT", default_value = "CLIENT")]
    pub reason: Reason,
    /// What the record says of the session: JSON in one of the three session shapes, `-` for
    /// stdin [default: a REST session of the current user]
    #[arg(long, value_name = "FILE.json")]
    pub describe: Option<PathBuf>,
}

/// Runs a program that holds a license from before it starts until after it ended
///
/// The license is released when the program ends. Signals are passed on, and the exit code is the
/// program's, 128 and the signal that ended it, 127 where there is no such program and 126 where it
/// cannot be run. Where no license is had, nothing is started. The program gets no password and no
/// credential of ours in its environment.
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// The product, such as 0009 or 808464441
    #[arg(long, value_name = "ID")]
    pub product: ProductId,
    /// Your own name of the session, by which a program that is started again gets its license
    /// back: 1 to 128 of letters, digits and ._:@- [default: a name that nobody had before]
    #[arg(long, value_name = "ID", value_parser = session)]
    pub session: Option<SessionId>,
    /// Waits so long where none is left, such as 30s, 5m or 2h
    #[arg(long, value_name = "TIME")]
    pub wait: Option<Span>,
    /// The exit code where the license is refused [default: 3]
    #[arg(long, value_name = "N")]
    pub refused_code: Option<u8>,
    /// Who or what asks
    #[arg(long, value_name = "TEXT", default_value = "CLIENT")]
    pub reason: Reason,
    /// What the record says of the session: JSON in one of the three session shapes, `-` for
    /// stdin [default: a REST session of the current user]
    #[arg(long, value_name = "FILE.json")]
    pub describe: Option<PathBuf>,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// Renews what a session holds, and may tell its new state
#[derive(Args, Debug)]
pub(crate) struct Renew {
    /// The session
    #[arg(long, value_name = "ID", value_parser = session)]
    pub session: SessionId,
    /// What the session is doing now
    #[arg(long, value_name = "STATE", value_parser = one_of::<SessionState>(SessionState::ALL.iter().map(|state| state.as_str())))]
    pub state: Option<SessionState>,
}

/// Releases what a session holds, or one retention by its token
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["session", "token"]))]
pub(crate) struct Release {
    /// The session: releases all that it holds
    #[arg(long, value_name = "ID", value_parser = session)]
    pub session: Option<SessionId>,
    /// Only this product of the session, such as 0009 or 808464441
    #[arg(long, value_name = "ID", requires = "session")]
    pub product: Option<ProductId>,
    /// The retention, by the token that `license usage` shows; with --session, only if it is the
    /// session's
    #[arg(long, value_name = "N", value_parser = token)]
    pub token: Option<Token>,
}

/// Shows who shares the store
#[derive(Args, Debug)]
pub(crate) struct Servers {
    /// Only the server of this name
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<ServerName>,
}

/// Looks after the store
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub(crate) struct Store {
    #[command(subcommand)]
    pub command: StoreCommand,
}

/// What can be done with a store.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Reads every entry, recomputes chains and counts: exit code 0 when all is sound
    Check,
    Copy(Copy),
    /// Says that the clock is right now, after it was wrong: history goes on from the time it shows
    ///
    /// Entries never bear an earlier time than the one before, and a clock that jumps ahead is not
    /// believed at once. Where a clock was wrong for long, first set it right; then this appends an
    /// entry to every license, the only one that may step back in time, and all who share the store
    /// believe the clock again. Figures of days that are still to come are taken back.
    CorrectClock,
}

/// Copies the whole store to another place while it is used, also from SQLite to PostgreSQL and back
///
/// Every entry goes over byte for byte, with all that stands beside them. Where the copy is
/// interrupted nobody takes what is there for a store, and the same command begins anew.
///
/// With --seal the copy takes the place of the store: from the last moment of the copy on the store
/// can only be read, and whoever writes to it is told where to go, also processes that have it open.
/// Then start the servers on the copy, under the names that they had. Programs under `license run`
/// lose their licenses.
#[derive(Args, Debug)]
pub(crate) struct Copy {
    /// Where to: `sqlite:PATH` or `postgres://…`, where there is nothing yet; the variables
    /// LICENSE_COPY_PASSWORD and LICENSE_COPY_PASSWORD_FILE hold a password
    #[arg(value_name = "TO")]
    pub to: String,
    /// Leaves the store that is copied to be read only
    #[arg(long)]
    pub seal: bool,
}

/// Plays a short, true session on a store of its own and says what to try next
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Prints one of the documents that the demo uses instead
    #[arg(long, value_name = "NAME")]
    pub print: Option<Sample>,
}

/// The documents that the demo uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sample {
    License,
    Client,
    Sql,
    Rest,
}

/// Prints a completion script for a shell
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Writes the manual pages, one for each command: `license.1`, `license-serve.1` and so on
#[derive(Args, Debug)]
pub(crate) struct Man {
    /// The folder to write them to, which is made where it is missing
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// One of few words, so that help and completions list them.
fn one_of<T>(words: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = Invalid> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| word.parse::<T>())
}

fn session(text: &str) -> Result<SessionId, String> {
    let rule = "an id has 1 to 128 letters, digits and ._:@-";
    text.parse().map_err(|_| rule.to_owned())
}

fn timestamp(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "write an instant as 2026-01-31T12:00:00Z".to_owned())
}

fn token(text: &str) -> Result<Token, String> {
    let token = text.parse().ok().and_then(|number| Token::new(number).ok());
    token.ok_or_else(|| "a token is a whole number from 1".to_owned())
}
