//! How a server is to behave, beyond what its pool knows.

use std::time::Duration;

/// How a server is to behave; the defaults are safe.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) drain: Duration,
}

impl Options {
    /// The defaults.
    pub fn new() -> Options {
        Options { drain: Duration::from_secs(2) }
    }

    /// How long, once told to stop, to go on for clients that are still connected: they are
    /// refused new licenses and shown the way to another server.
    #[must_use]
    pub fn drain(self, drain: Duration) -> Options {
        Options { drain, ..self }
    }
}

impl Default for Options {
    fn default() -> Options {
        Options::new()
    }
}
