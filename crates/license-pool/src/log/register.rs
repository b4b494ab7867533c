//! The register: the servers that share a store, and what they keep there of their sessions beside
//! the entries. It is updated in place and is no history.

use std::time::Duration;

use license_types::{ServerName, Token};

use crate::log::LedgerId;

/// A server as it takes its place among those that share a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub name: ServerName,
    /// Random, so that one holder of a name is never taken for another; never empty.
    pub instance: String,
    /// Its default lease.
    pub lease_seconds: u64,
    /// How long beyond a lease its silence is borne.
    pub grace_seconds: u64,
    /// Whether the name was made up for one process: what it serves ends with it.
    pub transient: bool,
}

/// A server as the register shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerRow {
    /// Its name.
    pub name: ServerName,
    /// How often the name was taken.
    pub epoch: u64,
    /// Who holds the name; empty once the epoch was ended.
    pub instance: String,
    /// Grows while the server lives.
    pub beat: u64,
    /// Its default lease.
    pub lease_seconds: u64,
    /// How long beyond a lease its silence is borne.
    pub grace_seconds: u64,
    /// Whether the name was made up for one process.
    pub transient: bool,
    /// The newest format that it reads.
    pub format: u64,
    /// Whether its process lives, where the store can tell.
    pub alive: Option<bool>,
}

/// How long a session has been silent, told by the token that it retained last. Retaining or releasing
/// breaks a silence, so a row with a token that is no longer the session's last says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// The ledger.
    pub ledger: LedgerId,
    /// The token.
    pub token: Token,
    /// Time that servers vouched for without hearing the session; zero once it was heard.
    pub silent: Duration,
}

impl ServerRow {
    /// Whether its epoch was ended, so that nobody acts under the name until it is taken again.
    pub fn is_ended(&self) -> bool {
        self.instance.is_empty()
    }

    /// Whether it still is as `known` shows it: neither taken by another, nor alive.
    pub(crate) fn is_unchanged(&self, known: &ServerRow) -> bool {
        (&self.name, self.epoch, &*self.instance, self.beat)
            == (&known.name, known.epoch, &*known.instance, known.beat)
    }
}
