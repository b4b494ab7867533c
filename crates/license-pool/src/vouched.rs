//! The time that a server vouches for: while it ran, could use its store, and so could have been
//! heard from and have heard.

use std::time::Duration;

/// Adds up the time that passed between two looks, as far as a server vouches for it.
pub(crate) struct Vouched {
    /// When it was looked last.
    looked: Duration,
    total: Duration,
    /// Who looks later than this after the last time was not running in between.
    most: Duration,
    /// Whether the store is away.
    away: bool,
}

impl Vouched {
    pub(crate) fn new(elapsed: Duration, most: Duration) -> Vouched {
        Vouched { looked: elapsed, total: Duration::ZERO, most, away: false }
    }

    /// The time so far.
    pub(crate) fn now(&mut self, elapsed: Duration) -> Duration {
        let passed = elapsed.saturating_sub(self.looked);
        self.looked = self.looked.max(elapsed);
        if !self.away {
            self.total += passed.min(self.most);
        }
        self.total
    }

    /// When that much time will have been vouched for, at the earliest.
    pub(crate) fn when(&self, total: Duration) -> Duration {
        self.looked.saturating_add(total.saturating_sub(self.total))
    }

    /// Notes whether the store could be used; says whether it is back after it was away.
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
