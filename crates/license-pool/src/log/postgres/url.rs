//! Where a PostgreSQL store is, and how its servers are believed.

use std::fmt;
use std::path::PathBuf;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::share::WRITERS_MAX;
use crate::url::masked;

/// The address of a PostgreSQL store, as PostgreSQL's own tools write it:
/// `postgres://USER@HOST[:PORT][,HOST[:PORT]…]/DATABASE[?OPTION=VALUE&…]`.
///
/// Several hosts are tried in turn, and the first that takes writes is used, so a store is found
/// again after a failover. `connections=N` says over how many connections a server spreads its
/// ledgers: what one of them waits for does not hold the others up. What it shows never holds a
/// password.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PostgresUrl(String);

/// One server to try.
#[derive(Clone)]
pub(super) struct Target {
    /// As the address writes it.
    pub(super) name: String,
    pub(super) config: Config,
    /// Whose certificates are believed, in PEM; without, nothing is encrypted.
    pub(super) authorities: Option<PathBuf>,
}

impl PostgresUrl {
    /// Reads an address; the text of the error names no secret.
    pub(crate) fn parse(text: &str) -> Result<PostgresUrl, String> {
        let url = PostgresUrl(text.to_owned());
        url.targets()?;
        Ok(url)
    }

    /// Over how many connections ledgers are spread, where it says so.
    pub(crate) fn connections(&self) -> Option<u8> {
        let (_, query) = self.0.split_once('?')?;
        Options::parse(query).ok()?.connections
    }

    /// The servers to try, in order.
    pub(super) fn targets(&self) -> Result<Vec<Target>, String> {
        let (scheme, rest) = self.0.split_once("://").ok_or("it lacks `://`")?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (user, hosts) = match authority.split_once('@') {
            Some((_, hosts)) if hosts.contains('@') => {
                return Err("an `@` in a user or password is written `%40`".to_owned());
            }
            Some((user, hosts)) => (format!("{user}@"), hosts),
            None => (String::new(), authority),
        };
        let Options { tls, authorities, others, connections: _ } = Options::parse(query)?;
        let target = |host: &str| {
            let url = format!("{scheme}://{user}{host}{path}?{GONE}&{others}");
            let mut config: Config = url.parse().map_err(|error| reason(&error))?;
            // A store is written to, whatever else the address says.
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
            if config.get_application_name().is_none() {
                config.application_name("license");
            }
            if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
                return Err("it names no host".to_owned());
            }
            let encrypted = tls.unwrap_or(!config.get_hosts().iter().all(is_near));
            config.ssl_mode(if encrypted { SslMode::Require } else { SslMode::Disable });
            let authorities = match (encrypted, &authorities) {
                (true, None) => return Err(NO_AUTHORITIES.to_owned()),
                (true, Some(path)) => Some(path.clone()),
                (false, _) => None,
            };
            Ok(Target { name: host.to_owned(), config, authorities })
        };
        hosts.split(',').map(target).collect()
    }
}

/// After how long a database whose machine is gone is no more waited for, in seconds, unless the
/// address says something else. `sql/session.sql` tells the database the same of us.
const GONE: &str =
    "tcp_user_timeout=15&keepalives_idle=10&keepalives_interval=5&keepalives_retries=3";

const NO_AUTHORITIES: &str = "the connection would be encrypted, and nothing says whom to believe: \
    add `sslrootcert=FILE`, certificates of authorities in PEM (on Debian, those of the system are \
    in /etc/ssl/certs/ca-certificates.crt), or, on a network that you trust, `sslmode=disable`";

/// The options that mean something to us; the rest is for the client library.
#[derive(Default)]
struct Options {
    tls: Option<bool>,
    authorities: Option<PathBuf>,
    connections: Option<u8>,
    others: String,
}

impl Options {
    fn parse(query: &str) -> Result<Options, String> {
        let mut options = Options::default();
        let mut others = Vec::new();
        for option in query.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("sslmode", "disable")) => options.tls = Some(false),
                // Encrypted without knowing for whom is no protection, so `require` verifies too.
                Some(("sslmode", "require" | "verify-full")) => options.tls = Some(true),
                Some(("sslmode", _)) => {
                    return Err(
                        "`sslmode` is `disable`, `require` or `verify-full`; the last two \
                                mean the same"
                            .to_owned(),
                    );
                }
                Some(("connections", number)) => match number.parse() {
                    Ok(number @ 1..=WRITERS_MAX) => options.connections = Some(number),
                    Ok(_) | Err(_) => {
                        return Err(format!("`connections` is a number from 1 to {WRITERS_MAX}"));
                    }
                },
                Some(("sslrootcert", path)) => options.authorities = Some(path.into()),
                _ => others.push(option),
            }
        }
        options.others = others.join("&");
        Ok(options)
    }
}

/// Whether what is sent never leaves this machine.
fn is_near(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost"
                || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// What the client library finds wrong, which never tells a value.
fn reason(error: &tokio_postgres::Error) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(&self.0))
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresUrl").field(&masked(&self.0)).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_database_whose_machine_is_gone_is_waited_for_as_long_as_the_address_says() {
        let config = |query: &str| {
            let url = PostgresUrl::parse(&format!("postgres://ann@localhost,[::1]/x?{query}"));
            let mut targets = url.unwrap().targets().unwrap();
            assert_eq!(targets.len(), 2);
            targets.pop().unwrap().config
        };
        let seconds = Duration::from_secs;
        let own = config("");
        assert!(own.get_keepalives());
        assert_eq!(own.get_keepalives_idle(), seconds(10));
        assert_eq!(own.get_keepalives_interval(), Some(seconds(5)));
        assert_eq!(own.get_keepalives_retries(), Some(3));
        assert_eq!(own.get_tcp_user_timeout(), Some(&seconds(15)));
        let theirs = config("keepalives_idle=60&tcp_user_timeout=90&connections=3");
        assert_eq!(theirs.get_keepalives_idle(), seconds(60));
        assert_eq!(theirs.get_keepalives_interval(), Some(seconds(5)));
        assert_eq!(theirs.get_tcp_user_timeout(), Some(&seconds(90)));
    }
}
