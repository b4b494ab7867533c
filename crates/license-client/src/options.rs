//! How a client is set up.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::servers::Servers;
use crate::transport::Transport;
use crate::{Client, Error, Secret};

/// The longest time for one request: clocks cannot count to the end of the longest [`Duration`].
const TIMEOUT_MAX: Duration = Duration::from_hours(365 * 24);

/// How to set up a [`Client`]: `Client::options().credential(…).connect("https://licenses.example")`.
#[derive(Clone, Debug)]
#[must_use = "there is no client before `connect`"]
pub struct Options {
    others: Vec<String>,
    credential: Option<Secret>,
    authorities: Option<PathBuf>,
    license: Option<Arc<str>>,
    timeout: Duration,
    patience: Duration,
}

impl Options {
    pub(crate) fn new() -> Options {
        Options {
            others: Vec::new(),
            credential: None,
            authorities: None,
            license: None,
            timeout: Duration::from_secs(10),
            patience: Duration::from_secs(10),
        }
    }

    /// Another server of the same store, to be asked when the ones before it fail.
    pub fn or(mut self, server: impl Into<String>) -> Options {
        self.others.push(server.into());
        self
    }

    /// Sends the secret of a credential with every request.
    pub fn credential(mut self, secret: Secret) -> Options {
        self.credential = Some(secret);
        self
    }

    /// Trusts the certificate authorities in this PEM file, instead of those that the machine trusts.
    pub fn authorities(mut self, file: impl Into<PathBuf>) -> Options {
        self.authorities = Some(file.into());
        self
    }

    /// Acts on the license of this number. Without it, on the only one that is installed.
    pub fn license(mut self, number: impl Into<Arc<str>>) -> Options {
        self.license = Some(number.into());
        self
    }

    /// How long one request to one server may take, not counting the wait for a license: 10 seconds
    /// unless set, and a year at most.
    pub fn timeout(mut self, timeout: Duration) -> Options {
        self.timeout = timeout.min(TIMEOUT_MAX);
        self
    }

    /// How long to go on trying when no server answers, before the request fails: 10 seconds unless
    /// set.
    pub fn patience(mut self, patience: Duration) -> Options {
        self.patience = patience;
        self
    }

    /// A client of this server. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Setup`] when an address is malformed, certificates cannot be read, or the number of
    /// the license is empty.
    pub fn connect(self, server: &str) -> Result<Client, Error> {
        if self.license.as_deref() == Some("") {
            return Err(Error::setup("the number of a license is never empty"));
        }
        let others = self.others.iter().map(String::as_str);
        let urls = [server].into_iter().chain(others).map(str::parse);
        let urls: Vec<_> = urls.collect::<Result<_, _>>()?;
        let authorities = self.authorities.as_deref();
        let transport = Transport::new(&urls, self.credential, authorities, self.timeout)?;
        Client::start(Servers::new(urls, transport), self.license, self.patience)
    }
}
