//! The settings of a server, beyond those of its pool.

use std::fmt;
use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use license_pool::{Clock, LeaseSeconds, SystemClock};

use crate::limits::Limits;
use crate::tls::Certificate;

/// The settings of a server; the defaults are safe.
#[derive(Clone)]
pub struct Options {
    pub(crate) drain: Duration,
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) trusted_proxies: Vec<IpAddr>,
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) certificate: Option<Arc<Certificate>>,
    pub(crate) limits: Limits,
    pub(crate) lease: LeaseSeconds,
    pub(crate) usage_log: Option<Arc<File>>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Options {
    /// The defaults.
    pub fn new() -> Options {
        Options {
            drain: Duration::from_secs(2),
            allowed_hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            listen: None,
            certificate: None,
            limits: Limits::default(),
            lease: LeaseSeconds::new(90).expect("it is within the bounds"),
            usage_log: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// How long a server that is told to stop goes on for clients that are still connected. Meanwhile it
    /// grants nothing new, and answers 503 `draining`, at which clients turn to another server. 2
    /// seconds unless set.
    #[must_use]
    pub fn drain(self, drain: Duration) -> Options {
        Options { drain, ..self }
    }

    /// A host name by which clients may call the server, beside loopback names and its address. Other
    /// names are refused: a malicious page could have its own name resolve to this server (DNS
    /// rebinding).
    #[must_use]
    pub fn allowed_host(mut self, host: impl Into<String>) -> Options {
        self.allowed_hosts.push(host.into());
        self
    }

    /// A proxy in front of the server that is trusted to say where a request comes from, by adding the
    /// client's address to `X-Forwarded-For`. If it writes `Forwarded` instead, the origin stays
    /// unknown.
    #[must_use]
    pub fn trusted_proxy(mut self, proxy: IpAddr) -> Options {
        self.trusted_proxies.push(proxy.to_canonical());
        self
    }

    /// Speaks TLS only, with this certificate.
    #[must_use]
    pub fn certificate(self, certificate: Certificate) -> Options {
        Options { certificate: Some(Arc::new(certificate)), ..self }
    }

    /// How much callers may use of the server.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Options {
        Options { limits, ..self }
    }

    /// The lease of retentions whose request does not ask for another: 90 seconds unless set.
    #[must_use]
    pub fn lease(self, lease: LeaseSeconds) -> Options {
        Options { lease, ..self }
    }

    /// Writes a line for each license that is retained or released, as the reference system does.
    /// The lines name users and their addresses.
    #[must_use]
    pub fn usage_log(self, file: File) -> Options {
        Options { usage_log: Some(Arc::new(file)), ..self }
    }

    /// Judges whether credentials expired by this clock instead of the machine's.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Options {
        Options { clock, ..self }
    }
}

impl Default for Options {
    fn default() -> Options {
        Options::new()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("limits", &self.limits).finish_non_exhaustive()
    }
}
