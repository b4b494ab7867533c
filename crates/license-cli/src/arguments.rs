//! The command line as it is typed: commands, flags and their help.

use std::ffi::OsString;
use std::net::IpAddr;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use license_types::schemas::{NAMES, Profile};
use license_types::{
    Count, CredentialRole, EventKind, Invalid, Principal, ProductId, Reason, ReportPeriod,
    ServerName, SessionId, SessionState, Token,
};
use license_validate::rules::Rule;

use crate::instant::{Day, Instant, Zone};
use crate::span::Span;

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
}

/// Runs the license server: HTTP API and page; creates the store where there is none
///
/// The first line on stdout is its base URL. SIGTERM and SIGINT end it in order: nothing new is
/// granted, what was asked is answered, and what is held stays held.
#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// Where to listen; port 0 takes a free one [env: LICENSE_LISTEN] [default: 127.0.0.1:7427]
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<String>,
    /// Installs this license first, unless it was replaced since
    #[arg(long, value_name = "FILE")]
    pub license: Vec<PathBuf>,
    /// How long a retention outlives its last renewal [env: LICENSE_LEASE] [default: 90s]
    #[arg(long, value_name = "TIME")]
    pub lease: Option<Span>,
    /// How long beyond a lease the silence of a server is borne [env: LICENSE_GRACE] [default: 90s]
    #[arg(long, value_name = "TIME")]
    pub grace: Option<Span>,
    /// How long entries are kept; daily figures stay [env: LICENSE_HISTORY] [default: 400d]
    #[arg(long, value_name = "TIME")]
    pub history: Option<Span>,
    /// How long descriptions of sessions are kept that hold nothing, such as 90d; without, as long
    /// as the entries [env: LICENSE_IDENTITIES]
    #[arg(long, value_name = "TIME")]
    pub identities: Option<Span>,
    /// The name under which it shares the store [env: LICENSE_SERVER_NAME] [default: HOST:PORT]
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<ServerName>,
    /// A name by which clients may call the server, beside loopback names and its address
    #[arg(long, value_name = "NAME")]
    pub allowed_host: Vec<String>,
    /// The address of a proxy whose word is taken for where a request comes from
    #[arg(long, value_name = "ADDRESS")]
    pub trusted_proxy: Vec<IpAddr>,
    /// Speaks TLS with this certificate (PEM), which is read again when it changes [env:
    /// LICENSE_TLS_CERTIFICATE]
    #[arg(long, value_name = "FILE")]
    pub tls_certificate: Option<PathBuf>,
    /// The key of that certificate (PEM) [env: LICENSE_TLS_KEY]
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Listens without TLS where others can listen in: secrets and users cross the network in the
    /// clear, and answers can be forged
    #[arg(long, conflicts_with_all = ["tls_certificate", "tls_key"])]
    pub plain_http: bool,
    /// Appends a line to this file for each license that is retained or released, as 4D Server
    /// does: `[LICUSAGE]`, with users and their addresses
    #[arg(long, value_name = "FILE")]
    pub usage_log: Option<PathBuf>,
    /// How what happens to the server is told on stderr; never with users or addresses
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log: LogFormat,
    /// Serves a sample license from memory, with clients that come and go
    #[arg(long, conflicts_with = "license")]
    pub demo: bool,
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
    #[arg(long, value_name = "TIME", requires = "from")]
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

/// Shows the log: what was installed, retained, refused and released
///
/// The log is read as it is shown, so a long one needs little memory.
#[derive(Args, Debug)]
pub(crate) struct History {
    /// Only this product, such as 0009 or 808464441
    #[arg(long, value_name = "ID")]
    pub product: Option<ProductId>,
    /// Only what concerns sessions of this user: what they retained, were refused and released. A
    /// release is found by its retention, as long as the log has that
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Only this session
    #[arg(long, value_name = "ID", value_parser = session)]
    pub session: Option<SessionId>,
    /// Only these kinds of entries, parted by commas
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = one_of::<EventKind>(EventKind::ALL.iter().map(|kind| kind.as_str())))]
    pub kind: Vec<EventKind>,
    /// Only from this day or instant on
    #[arg(long, visible_alias = "since", value_name = "TIME")]
    pub from: Option<Instant>,
    /// Only up to the end of this day, or before this instant
    #[arg(long, visible_alias = "until", value_name = "TIME")]
    pub to: Option<Instant>,
    /// Where days begin and end and which times are shown, such as Europe/Berlin; JSON keeps UTC
    #[arg(long, value_name = "NAME", default_value = "UTC")]
    pub time_zone: Zone,
    /// Prints comma-separated values (RFC 4180); text that a spreadsheet would take for a formula
    /// begins with `'`
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Shows pseudonyms instead of users, hosts, addresses, sessions, servers, credentials and free
    /// texts: the same one for the same name in this run, another in the next. Digests and chain
    /// values are replaced too, since they would confirm a guess, so what is shown cannot be verified
    #[arg(long)]
    pub anonymize: bool,
    /// Makes the same pseudonyms in every run from the key in this file, at least 16 bytes; who has
    /// the key can tell who is meant
    #[arg(long, value_name = "FILE", requires = "anonymize")]
    pub anonymize_key: Option<PathBuf>,
    /// Recomputes the chain of hashes over the whole log first, and says up to where it holds
    #[arg(long)]
    pub verify: bool,
}

/// Shows figures per product and day or month: what was allowed and used, and who went without
///
/// The figures of a store are those that it keeps of every day, also of days whose entries are gone;
/// those of today are as of now. Their days are UTC days, and what only one user held they do not
/// tell.
///
/// With --from the figures are made from reports that were exported. Each file is one License usage,
/// true at one instant, all of the same license; a License info among them adds what was allowed.
/// The figures are what these reports prove: a retention is held from its time to the last report
/// that lists it, and its counters tell how many were used when it was made. What was retained and
/// released between two reports, and how long a retention lived after the last report that lists it,
/// no report can tell: so each figure is a lower bound.
#[derive(Args, Debug)]
#[command(after_long_help = FIGURES)]
pub(crate) struct Report {
    #[command(flatten)]
    pub exports: Exports,
    /// Only this product, such as 0009 or 808464441
    #[arg(long, value_name = "ID")]
    pub product: Option<ProductId>,
    /// Only what sessions of this user held; with --from
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Length of a period
    #[arg(long, value_name = "PERIOD", default_value = "day", value_parser = one_of::<ReportPeriod>(ReportPeriod::ALL.iter().map(|period| period.as_str())))]
    pub by: ReportPeriod,
    /// Where days begin and end, such as Europe/Berlin; other than UTC with --from
    #[arg(long, value_name = "NAME", default_value = "UTC")]
    pub time_zone: Zone,
    /// Only from this day or instant on
    #[arg(long, value_name = "TIME")]
    pub since: Option<Instant>,
    /// Only up to the end of this day, or before this instant
    #[arg(long, value_name = "TIME")]
    pub until: Option<Instant>,
    /// Prints comma-separated values (RFC 4180); text that a spreadsheet would take for a formula
    /// begins with `'`
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
}

const FIGURES: &str = "\
Figures of a store:
  allowed     at the end of the period
  peak, at    the most that were in use at once over all servers, and when that was first so
  none left   minutes in which a further session would have been refused
  hours       license-hours: the time of all retentions, added up
  retained    retentions that began
  refused     refusals, each repetition counted, and of how many sessions; a session counts
              once a day
  in vain     refusals after which the session went without: none was granted to it within its
              wait, or within five minutes where it gave none

Figures of exported reports:
  reports     usage reports whose instant lies in the period; with 0, the line shows only
              those retentions that were still held at a later report
  allowed     by the last License info up to the end of the period; not what was allowed
              earlier in it
  peak, at    the most that were in use at once, by retentions that were held at the same
              time or by a counter that one froze, and the first instant that proves it; a
              higher one can have gone unseen. With --user, only what that user held
  users       different user names; people who share one count once
  sessions    different sessions; SQL sessions have no id, so each retention counts as one
  retentions  held for some of the period
  hours       license-hours: time that retentions are proven to be held, added up";

/// Shows who shares the store
#[derive(Args, Debug)]
pub(crate) struct Servers {}

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

/// How a server tells what happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One object a line
    Json,
}

/// Says who may ask the server of a store
///
/// While a store has no credential, its server answers only callers of its own machine, and lets
/// nobody administer it. Once there is one, every request needs one.
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub(crate) struct Credentials {
    #[command(subcommand)]
    pub command: CredentialCommand,
}

/// What can be done with credentials.
#[derive(Debug, Subcommand)]
pub(crate) enum CredentialCommand {
    /// Makes a credential and prints its secret, this once
    Create(CreateCredential),
    /// Lists the credentials, without their secrets
    List,
    /// Ends a credential for good; what its sessions hold stays until released
    Revoke(RevokeCredential),
}

/// How a credential is to be.
#[derive(Args, Debug)]
pub(crate) struct CreateCredential {
    /// What it is for: client retains and sees its own sessions, viewer reads, admin does all
    #[arg(long, value_name = "ROLE", value_parser = one_of::<CredentialRole>(CredentialRole::ALL.iter().map(|role| role.as_str())))]
    pub role: CredentialRole,
    /// The last day (UTC) on which it is in force, or the instant at which it ends
    #[arg(long, value_name = "TIME")]
    pub expires: Option<Instant>,
    /// How many licenses its sessions may hold in all
    #[arg(long, value_name = "N", value_parser = count)]
    pub max_seats: Option<Count>,
}

/// Which credential to end.
#[derive(Args, Debug)]
pub(crate) struct RevokeCredential {
    /// The visible part of the credential, such as lk_3f9a0c12d4e5
    #[arg(value_name = "ID")]
    pub id: Principal,
}

/// Checks JSON or NDJSON files against a schema and names every violation with its place
///
/// Without --schema, an array or null is a License usage and an object with `products` a License
/// info. Several values in one file, or a name that ends in .ndjson or .jsonl, are judged as one
/// record each. Compressed files (gzip, zstd) are unpacked as they are read. Exit code 0 when all
/// conform, 3 with violations, 2 when something is no JSON.
#[derive(Args, Debug)]
pub(crate) struct Validate {
    /// The files, `-` for stdin
    #[arg(value_name = "FILE", required_unless_present = "list_rules")]
    pub files: Vec<PathBuf>,
    /// The schema, one of those that `license schema` lists
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(NAMES), hide_possible_values = true)]
    pub schema: Option<String>,
    /// `observed` is what others write, `documented` what this program writes
    #[arg(long, default_value = "observed", value_parser = one_of::<Profile>(Profile::ALL.map(Profile::as_str)))]
    pub profile: Profile,
    /// Leaves values out of messages
    #[arg(long)]
    pub mask: bool,
    /// Counts the violations of each rule and place, instead of one line for each
    #[arg(long)]
    pub summary: bool,
    /// Stops after so many violations
    #[arg(long, value_name = "N")]
    pub max_violations: Option<NonZeroU64>,
    /// Threads that judge; with 1, each record is judged as soon as it comes, and so it is with
    /// --rules [default: one for each core]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Rules that no schema can state, parted by commas, or `all`; see --list-rules
    #[arg(long, value_name = "NAME", value_delimiter = ',', hide_possible_values = true)]
    #[arg(value_parser = Asked::parser())]
    pub rules: Vec<Asked>,
    /// The day on which rights are judged [default: today]
    #[arg(long, value_name = "DATE", requires = "rules")]
    pub at: Option<Day>,
    /// Lists the rules that --rules takes
    #[arg(long, conflicts_with = "files")]
    pub list_rules: bool,
}

/// Lists the schemas, or prints one as a self-contained document
#[derive(Args, Debug)]
pub(crate) struct Schema {
    /// The schema, such as license-usage
    #[arg(value_parser = PossibleValuesParser::new(NAMES), hide_possible_values = true)]
    pub name: Option<String>,
    /// `documented` is what this program writes, `observed` what it reads from others
    #[arg(long, default_value = "documented", value_parser = one_of::<Profile>(Profile::ALL.map(Profile::as_str)))]
    pub profile: Profile,
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

/// A rule that is asked for, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    All,
    Rule(Rule),
}

impl Asked {
    fn parser() -> impl TypedValueParser<Value = Asked> {
        let words = Rule::ALL.into_iter().map(Rule::name).chain(["all"]);
        PossibleValuesParser::new(words).map(|word| word.parse().map_or(Asked::All, Asked::Rule))
    }
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

fn count(text: &str) -> Result<Count, String> {
    let count = text.parse().ok().and_then(|number| Count::new(number).ok());
    count.ok_or_else(|| "write a whole number".to_owned())
}

fn token(text: &str) -> Result<Token, String> {
    let token = text.parse().ok().and_then(|number| Token::new(number).ok());
    token.ok_or_else(|| "a token is a whole number from 1".to_owned())
}
