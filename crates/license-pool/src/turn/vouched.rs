//! The time that a server vouches for: in which it ran and could use its store, so that sessions could
//! be heard. Leases run in this time alone: nobody loses a license because the server was down.

use std::ops::Add;
use std::time::Duration;

/// An instant of the time that this server vouches for, counted from when it began. Only [`Vouched`]
/// turns it into other time, so that nobody judges a lease by a clock that ran while it was away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct VouchedTime(Duration);

impl VouchedTime {
    /// When the server began.
    pub(crate) const START: VouchedTime = VouchedTime(Duration::ZERO);

    /// The time vouched for since an earlier instant; nothing since a later one.
    pub(crate) fn since(self, earlier: VouchedTime) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for VouchedTime {
    type Output = VouchedTime;

    fn add(self, vouched: Duration) -> VouchedTime {
        VouchedTime(self.0.saturating_add(vouched))
    }
}

/// Adds up the time that passed between two looks, as far as a server vouches for it.
pub(crate) struct Vouched {
    /// The elapsed time of the last look.
    looked: Duration,
    now: VouchedTime,
    /// The most that counts between two looks; a longer time in between means that the process was
    /// stopped.
    most: Duration,
    /// Whether the store is away.
    away: bool,
}

impl Vouched {
    /// Begins at this elapsed time. `most` is what counts between two looks, at most.
    pub(crate) fn begin(elapsed: Duration, most: Duration) -> Vouched {
        Vouched { looked: elapsed, now: VouchedTime::START, most, away: false }
    }

    /// The time vouched for until now.
    pub(crate) fn now(&mut self, elapsed: Duration) -> VouchedTime {
        let passed = elapsed.saturating_sub(self.looked);
        self.looked = self.looked.max(elapsed);
        if !self.away {
            self.now = self.now + passed.min(self.most);
        }
        self.now
    }

    /// The elapsed time at which this instant will be reached, at the earliest.
    pub(crate) fn when(&self, then: VouchedTime) -> Duration {
        self.looked.saturating_add(then.since(self.now))
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
