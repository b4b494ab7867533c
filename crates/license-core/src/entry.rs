//! Entries: the immutable lines of a ledger's log, and what each says happened.

use std::sync::Arc;

use jiff::Timestamp;
use license_types::{
    LeaseSeconds, ProductId, Reason, RefusalCode, ReleaseCause, ServerName, SessionId,
    SessionState, Token,
};

use crate::{
    Digest, Identity, License, Stamp,
    figure::{DAY, midnight, timestamp},
};

/// One line of one ledger's log. Lines are only ever appended.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its place, from 1, without gaps.
    pub sequence: u64,
    /// When it happened, to the millisecond, by the clock of the store.
    pub time: Timestamp,
    /// Who appended it.
    pub stamp: Stamp,
    /// What happened.
    pub event: Event,
    /// Hash of the chain before and this entry.
    pub chain: Digest,
}

impl Entry {
    /// From when on figures are void: where the clock was corrected, what was told of days beyond.
    pub fn void_from(&self) -> Option<Timestamp> {
        let next = midnight(self.time.as_millisecond()).saturating_add(DAY);
        (self.event == Event::ClockCorrected).then(|| timestamp(next))
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A license was installed or replaced another.
    Installed(Installed),
    /// The license was uninstalled while nobody held any of it. Its log goes on when one of its
    /// numbers is installed again.
    Uninstalled {
        /// Its number.
        number: Arc<str>,
    },
    /// A session retained a license.
    Retained(Arc<Retained>),
    /// A retention ended.
    Released(Released),
    /// A session was refused a license; no counter changed.
    Refused(Box<Refused>),
    /// A session changed its state; it holds what it held.
    StateChanged {
        /// The session.
        session: Arc<SessionId>,
        /// Its new state.
        state: SessionState,
    },
    /// A session that holds licenses described itself differently; its records stay as they are.
    Described {
        /// The session.
        session: Arc<SessionId>,
        /// The new description.
        identity: Identity,
    },
    /// Sessions are served from now on by the server that appends.
    Moved {
        /// The sessions.
        sessions: Vec<Arc<SessionId>>,
    },
    /// The server that appends took over every session of another that fell silent.
    Adopted {
        /// The server whose sessions were adopted.
        from_server: Arc<ServerName>,
        /// Its epoch, which ended.
        from_epoch: u64,
    },
    /// An administrator set the clock of the ledger; only this entry may step back in time.
    ClockCorrected,
}

/// A license that was installed.
#[derive(Clone, Debug, PartialEq)]
pub struct Installed {
    /// The license, with its exact text.
    pub license: Arc<License>,
    /// The number that it replaces, where it differs.
    pub replaced_number: Option<Arc<str>>,
    /// Whether a signature was verified.
    pub signed: bool,
}

/// A retention as it began; with the entry's time it is the record that reports show. It never
/// changes, so the ledger and the entry share it.
#[derive(Clone, Debug, PartialEq)]
pub struct Retained {
    /// The session.
    pub session: Arc<SessionId>,
    /// The product.
    pub product: ProductId,
    /// Name of the product.
    pub product_name: Arc<str>,
    /// Retained on this server, this one included.
    pub used_count: u64,
    /// Still free over all servers, just after.
    pub balance: u64,
    /// Retained on all servers, this one included.
    pub global_used_count: u64,
    /// Identifies the retention.
    pub token: Token,
    /// Who or what asked.
    pub reason: Arc<Reason>,
    /// The lease, fixed for the life of the retention.
    pub lease_seconds: Option<LeaseSeconds>,
    /// What the caller said of the session.
    pub identity: Identity,
}

/// A retention that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Released {
    /// Identifies the retention.
    pub token: Token,
    /// The session that held it.
    pub session: Arc<SessionId>,
    /// The product.
    pub product: ProductId,
    /// Why it ended.
    pub cause: ReleaseCause,
    /// What the administrator said who revoked it.
    pub note: Option<Arc<str>>,
}

/// A refusal as the log keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// The product.
    pub product: ProductId,
    /// Why.
    pub code: RefusalCode,
    /// Licenses allowed at that moment.
    pub allowed_count: u64,
    /// Licenses in use at that moment.
    pub used_count: u64,
    /// How many refusals the entry stands for.
    pub times: u64,
    /// Who was refused.
    pub whom: Whom,
}

/// Who was refused a license.
#[derive(Clone, Debug, PartialEq)]
pub enum Whom {
    /// One session, once or repeatedly.
    Session {
        /// The session.
        session: Arc<SessionId>,
        /// Who or what asked.
        reason: Arc<Reason>,
        /// What the caller said of the session.
        identity: Identity,
        /// How long it had waited; `None` where it did not wait, or may wait on elsewhere.
        waited_seconds: Option<u64>,
    },
    /// Sessions that the log does not name, since there were so many.
    Others {
        /// How many.
        sessions: u64,
    },
}
