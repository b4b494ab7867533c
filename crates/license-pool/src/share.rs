//! Which ledgers are whose, where a store has several writers: each ledger belongs to one of them,
//! which alone decides its commands and judges its leases.

use crate::Error;
use crate::log::{LedgerId, LogError};

/// How many writers a pool has at most, each with a connection to the store: more would only take
/// connections from other servers.
pub(crate) const WRITERS_MAX: u8 = 64;

/// The part of all ledgers that one writer serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// Its place among the writers.
    pub(crate) place: u8,
    /// How many writers there are.
    pub(crate) of: u8,
}

impl Share {
    /// The place of the writer that serves a ledger, of so many writers.
    pub(crate) fn place_of(id: LedgerId, of: u8) -> u8 {
        let place = id.0.unsigned_abs() % u64::from(of);
        u8::try_from(place).expect("a remainder is smaller than its divisor")
    }

    pub(crate) fn has(self, id: LedgerId) -> bool {
        Share::place_of(id, self.of) == self.place
    }

    /// Whether it is the share of the first writer, which does what concerns no single ledger.
    pub(crate) fn is_first(self) -> bool {
        self.place == 0
    }

    /// Checks that this writer may decide commands in a ledger.
    ///
    /// # Errors
    /// When it may not: the license began to lead there after the command had been routed.
    pub(crate) fn check(self, id: LedgerId) -> Result<(), Error> {
        if self.has(id) {
            return Ok(());
        }
        let source = "it was installed or uninstalled at this moment: ask again".into();
        Err(Error::store(LogError::Unavailable { action: "find the license", source }))
    }
}
