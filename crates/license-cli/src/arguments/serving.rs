//! Arguments of `serve` and `credential`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};
use license_types::{Count, CredentialRole, Principal, ServerName};

use super::one_of;
use crate::instant::Instant;
use crate::span::{Age, Span};

/// Runs the license server: HTTP API and page; creates the store where there is none
///
/// The first line on stdout is its base URL. SIGTERM and SIGINT end it in order: nothing new is
/// granted, what was asked is answered, and what is held stays held.
#[derive(Args, Clone, Debug)]
pub(crate) struct Serve {
    /// Where to listen; port 0 takes a free one [env: LICENSE_LISTEN] [default: 127.0.0.1:7427]
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<String>,
    /// Installs this license first, unless it was replaced or uninstalled since [env: LICENSE_FILE,
    /// parted by commas]
    #[arg(long, value_name = "FILE")]
    pub license: Vec<PathBuf>,
    /// How long a retention outlives its last renewal [env: LICENSE_LEASE] [default: 90s]
    #[arg(long, value_name = "TIME")]
    pub lease: Option<Span>,
    /// How long beyond a lease the silence of a server is borne [env: LICENSE_GRACE] [default: 90s]
    #[arg(long, value_name = "TIME")]
    pub grace: Option<Span>,
    /// How long entries are kept; daily figures stay. Servers that share a store should be told the
    /// same: each deletes what is too old for itself, and nobody else deletes any [env:
    /// LICENSE_HISTORY] [default: 400d]
    #[arg(long, value_name = "TIME")]
    pub history: Option<Age>,
    /// How long descriptions of sessions are kept that hold nothing, such as 90d; without, as long
    /// as the entries [env: LICENSE_IDENTITIES]
    #[arg(long, value_name = "TIME")]
    pub identities: Option<Age>,
    /// The name under which it shares the store [env: LICENSE_SERVER_NAME] [default: HOST:PORT]
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<ServerName>,
    /// A name by which clients may call the server, beside loopback names and its address [env:
    /// LICENSE_ALLOWED_HOST, parted by commas]
    #[arg(long, value_name = "NAME")]
    pub allowed_host: Vec<String>,
    /// The address of a proxy whose word is taken for where a request comes from: it adds whom it
    /// heard to X-Forwarded-For [env: LICENSE_TRUSTED_PROXY, parted by commas]
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
    /// clear, and answers can be forged [env: LICENSE_PLAIN_HTTP=true, where no certificate is named]
    #[arg(long, conflicts_with_all = ["tls_certificate", "tls_key"])]
    pub plain_http: bool,
    /// Appends a line to this file for each license that is retained or released, as 4D Server
    /// does: `[LICUSAGE]`, with users and their addresses [env: LICENSE_USAGE_LOG]
    #[arg(long, value_name = "FILE")]
    pub usage_log: Option<PathBuf>,
    /// How what happens to the server is told on stderr; never with users or addresses [env:
    /// LICENSE_LOG] [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log: Option<LogFormat>,
    /// Serves a sample license from memory, with clients that come and go [env: LICENSE_DEMO=true]
    #[arg(long, conflicts_with = "license")]
    pub demo: bool,
}

/// How a server tells what happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One object a line
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<LogFormat, String> {
        <LogFormat as ValueEnum>::from_str(text, false).map_err(|_| "write text or json".to_owned())
    }
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
    /// How many seats its sessions may hold at once, of each license that is installed
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

fn count(text: &str) -> Result<Count, String> {
    let count = text.parse().ok().and_then(|number| Count::new(number).ok());
    count.ok_or_else(|| "write a whole number".to_owned())
}
