//! The clocks of a simulated machine: true time passes for all, wall clocks are set as chance has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use license_pool::Clock;

use super::Planted;

/// True time of a run, in milliseconds since it began; shared by everything in it.
#[derive(Clone, Default)]
pub(super) struct TrueTime(Arc<AtomicU64>);

impl TrueTime {
    pub(super) fn now(&self) -> u64 {
        self.0.load(Relaxed)
    }

    pub(super) fn set(&self, now: u64) {
        self.0.store(now, Relaxed);
    }
}

/// The clock of one machine.
pub(super) struct MachineClock {
    begin: Timestamp,
    time: TrueTime,
    /// How far the wall clock is ahead, in milliseconds.
    ahead: AtomicI64,
    planted: Option<Planted>,
}

impl MachineClock {
    pub(super) fn new(begin: Timestamp, time: TrueTime, planted: Option<Planted>) -> MachineClock {
        MachineClock { begin, time, ahead: AtomicI64::new(0), planted }
    }

    /// What an honest wall clock would show.
    pub(super) fn true_instant(&self) -> Timestamp {
        after(self.begin, i64::try_from(self.time.now()).unwrap_or(i64::MAX))
    }

    /// Whether the wall clock shows another time than the true one.
    pub(super) fn is_ahead(&self) -> bool {
        self.ahead.load(Relaxed) != 0
    }

    pub(super) fn set_ahead(&self, milliseconds: i64) {
        self.ahead.store(milliseconds, Relaxed);
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        after(self.true_instant(), self.ahead.load(Relaxed))
    }

    fn elapsed(&self) -> Duration {
        let time = self.time.now();
        let ahead = self.ahead.load(Relaxed);
        // An hour of machine time before the run, so that a clock that is set back has where to go.
        let before = 3_600_000;
        Duration::from_millis(match self.planted {
            Some(Planted::LeaseByWallClock | Planted::FarFutureBelieved) => {
                (time + before).saturating_add_signed(ahead)
            }
            Some(Planted::TimeStandsStill) if ahead < 0 => before,
            _ => time + before,
        })
    }
}

fn after(instant: Timestamp, milliseconds: i64) -> Timestamp {
    instant.saturating_add(SignedDuration::from_millis(milliseconds)).unwrap_or(instant)
}
