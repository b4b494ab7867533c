//! The time that a server vouches for: in which it ran and could use its store, so that sessions could
//! be heard. Leases run in this time alone: nobody loses a license because the server was down.

use std::time::Duration;

/// Adds up the time that passed between two looks, as far as a server vouches for it.
pub(crate) struct Vouched {
    /// The elapsed time of the last look.
    looked: Duration,
    total: Duration,
    /// The most that counts between two looks; a longer time in between means that the process was
    /// stopped.
    most: Duration,
    /// Whether the store is away.
    away: bool,
}

impl Vouched {
    pub(crate) fn new(elapsed: Duration, most: Duration) -> Vouched {
        Vouched { looked: elapsed, total: Duration::ZERO, most, away: false }
    }

    /// The time vouched for until now.
    pub(crate) fn now(&mut self, elapsed: Duration) -> Duration {
        let passed = elapsed.saturating_sub(self.looked);
        self.looked = self.looked.max(elapsed);
        if !self.away {
            self.total += passed.min(self.most);
        }
        self.total
    }

    /// The elapsed time at which `total` will be vouched for, at the earliest.
    pub(crate) fn when(&self, total: Duration) -> Duration {
        self.looked.saturating_add(total.saturating_sub(self.total))
    }

    /// Notes whether the store could be used; says whether it just came back.
    pub(crate) fn note(&mut self, usable: bool) -> bool {
        let back = self.away && usable;
        self.away = !usable;
        back
    }

    /// Whether the store is away.
    pub(crate) fn is_away(&self) -> bool {
        self.away
    }
}
