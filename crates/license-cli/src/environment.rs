//! Everything that a command takes from the process around it, passed in so that tests control it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use license_pool::Clock;

use crate::failure::Failure;
use crate::output::secrets::masked;

/// The environment variables that `license` reads, all of them.
pub mod variables {
    /// The store, where `--store` is not given.
    pub const LICENSE_STORE: &str = "LICENSE_STORE";
    /// The password of a PostgreSQL store, so that it needs to stand in no argument.
    pub const LICENSE_STORE_PASSWORD: &str = "LICENSE_STORE_PASSWORD";
    /// The file that holds this password.
    pub const LICENSE_STORE_PASSWORD_FILE: &str = "LICENSE_STORE_PASSWORD_FILE";
    /// The servers, where neither `--server` nor `--store` is given.
    pub const LICENSE_SERVER: &str = "LICENSE_SERVER";
    /// The credential that is shown to a server, where `--credential-file` is not given.
    pub const LICENSE_CREDENTIAL: &str = "LICENSE_CREDENTIAL";
    /// The file that holds this credential.
    pub const LICENSE_CREDENTIAL_FILE: &str = "LICENSE_CREDENTIAL_FILE";
    /// The authorities that vouch for a server, where `--ca-file` is not given.
    pub const LICENSE_CA_FILE: &str = "LICENSE_CA_FILE";
    /// The password of the PostgreSQL store that another is copied to.
    pub const LICENSE_COPY_PASSWORD: &str = "LICENSE_COPY_PASSWORD";
    /// The file that holds this password.
    pub const LICENSE_COPY_PASSWORD_FILE: &str = "LICENSE_COPY_PASSWORD_FILE";
    /// The license, where `--license-number` is not given.
    pub const LICENSE_NUMBER: &str = "LICENSE_NUMBER";
    /// Where the server listens, where `--listen` is not given.
    pub const LICENSE_LISTEN: &str = "LICENSE_LISTEN";
    /// The server's lease, where `--lease` is not given.
    pub const LICENSE_LEASE: &str = "LICENSE_LEASE";
    /// The server's grace, where `--grace` is not given.
    pub const LICENSE_GRACE: &str = "LICENSE_GRACE";
    /// How long entries are kept, where `--history` is not given.
    pub const LICENSE_HISTORY: &str = "LICENSE_HISTORY";
    /// How long descriptions of sessions are kept, where `--identities` is not given.
    pub const LICENSE_IDENTITIES: &str = "LICENSE_IDENTITIES";
    /// The server's name, where `serve --server-name` is not given.
    pub const LICENSE_SERVER_NAME: &str = "LICENSE_SERVER_NAME";
    /// The certificate of the server, where `--tls-certificate` is not given.
    pub const LICENSE_TLS_CERTIFICATE: &str = "LICENSE_TLS_CERTIFICATE";
    /// The key of that certificate, where `--tls-key` is not given.
    pub const LICENSE_TLS_KEY: &str = "LICENSE_TLS_KEY";
    /// `true` goes without TLS as `--plain-http` does, where no certificate is named.
    pub const LICENSE_PLAIN_HTTP: &str = "LICENSE_PLAIN_HTTP";
    /// Licenses to install at the start, where `--license` is not given; parted by commas.
    pub const LICENSE_FILE: &str = "LICENSE_FILE";
    /// Names of the server, where `--allowed-host` is not given; parted by commas.
    pub const LICENSE_ALLOWED_HOST: &str = "LICENSE_ALLOWED_HOST";
    /// Proxies before the server, where `--trusted-proxy` is not given; parted by commas.
    pub const LICENSE_TRUSTED_PROXY: &str = "LICENSE_TRUSTED_PROXY";
    /// The usage log, where `--usage-log` is not given.
    pub const LICENSE_USAGE_LOG: &str = "LICENSE_USAGE_LOG";
    /// How the server's log is written, where `--log` is not given.
    pub const LICENSE_LOG: &str = "LICENSE_LOG";
    /// `true` serves a sample license as `--demo` does, where no `--license` is given.
    pub const LICENSE_DEMO: &str = "LICENSE_DEMO";
    /// Set to anything but nothing, it turns colors off (see <https://no-color.org>).
    pub const NO_COLOR: &str = "NO_COLOR";
}

/// The environment of one run: streams, clock, variables, directory and user.
pub struct Env<'a> {
    /// Read when a file is named `-`.
    pub stdin: &'a mut dyn Read,
    /// Takes data, and nothing but data.
    pub stdout: &'a mut dyn Write,
    /// Takes what is said to people.
    pub stderr: &'a mut dyn Write,
    /// Whether stdout is a terminal.
    pub stdout_is_terminal: bool,
    /// Whether stderr is a terminal.
    pub stderr_is_terminal: bool,
    /// The columns of the terminal, if there is one.
    pub terminal_width: Option<u16>,
    /// The environment variables; [`variables`] lists those that are read.
    pub variables: BTreeMap<OsString, OsString>,
    /// The directory that relative paths start from.
    pub directory: PathBuf,
    /// The operating system's user, for sessions that no file describes.
    pub user_name: String,
    /// The clock, for entries and whatever depends on today.
    pub clock: Arc<dyn Clock>,
    /// Whether anybody may still read stdout, as far as that shows without writing to it.
    pub stdout_is_read: &'a dyn Fn() -> bool,
    /// Waits before looking again at what changes; gives whether to go on.
    pub wait: &'a mut dyn FnMut(Duration) -> ControlFlow<()>,
}

/// Whether `license run` must keep a variable from its program: it holds a secret or names the file of
/// one, or is the address of a store with a password in it.
pub(crate) fn is_secret(name: &OsStr, value: &OsStr) -> bool {
    let secrets = [
        variables::LICENSE_STORE_PASSWORD,
        variables::LICENSE_STORE_PASSWORD_FILE,
        variables::LICENSE_CREDENTIAL,
        variables::LICENSE_CREDENTIAL_FILE,
        variables::LICENSE_COPY_PASSWORD,
        variables::LICENSE_COPY_PASSWORD_FILE,
    ];
    let value = value.to_string_lossy();
    secrets.iter().any(|secret| name == *secret)
        || (name == variables::LICENSE_STORE && masked(&value) != value)
}

impl Env<'_> {
    /// The text of an environment variable; one that is empty counts as unset.
    pub(crate) fn variable(&self, name: &str) -> Result<Option<String>, Failure> {
        match self.variables.get(OsStr::new(name)) {
            None => Ok(None),
            Some(value) if value.is_empty() => Ok(None),
            Some(value) => match value.to_str() {
                Some(text) => Ok(Some(text.to_owned())),
                None => Err(Failure::usage(format!("the variable {name} is not UTF-8"))),
            },
        }
    }

    /// Whether a terminal is to show colors.
    pub(crate) fn colors(&self) -> bool {
        self.variables.get(OsStr::new(variables::NO_COLOR)).is_none_or(|value| value.is_empty())
    }
}
