//! Where the time of an entry and the length of a lease come from: injected, so that tests decide
//! what time it is.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Tells the time that entries bear, and how much of it passed.
///
/// The pool never lets an entry bear an earlier time than the one before it, whatever the clock says,
/// and never judges a lease by [`now`](Self::now).
pub trait Clock: Send + Sync {
    /// The time now, by a clock that anybody may set.
    fn now(&self) -> Timestamp;

    /// The time since some moment that never changes, by a clock that nobody can set and that goes
    /// on while the machine sleeps.
    fn elapsed(&self) -> Duration;

    /// Whether [`now`](Self::now) counts only where the store has no clock of its own. One clock for
    /// all machines is better than one each; but whoever injects a clock wants that one.
    fn yields(&self) -> bool {
        false
    }
}

/// The clocks of the machine; what a pool uses unless told otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn yields(&self) -> bool {
        true
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn elapsed(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        // It counts from when the machine started, so neither part is negative.
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn elapsed(&self) -> Duration {
        static START: std::sync::LazyLock<std::time::Instant> =
            std::sync::LazyLock::new(std::time::Instant::now);
        START.elapsed()
    }
}

/// A clock that stands still until it is moved: for tests and simulations.
///
/// ```
/// use license_pool::{Clock, ManualClock};
///
/// let clock = ManualClock::new("2026-01-05T10:00:00Z".parse()?);
/// clock.advance(jiff::SignedDuration::from_mins(2));
/// assert_eq!(clock.now().to_string(), "2026-01-05T10:02:00Z");
/// assert_eq!(clock.elapsed().as_secs(), 120);
/// # Ok::<(), jiff::Error>(())
/// ```
#[derive(Debug)]
pub struct ManualClock(Mutex<(Timestamp, Duration)>);

impl ManualClock {
    /// A clock that shows `now`, and of which nothing has elapsed.
    pub fn new(now: Timestamp) -> ManualClock {
        ManualClock(Mutex::new((now, Duration::ZERO)))
    }

    /// Sets the time, forwards or back, as somebody who sets a clock does: nothing elapses.
    pub fn set(&self, now: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = now;
    }

    /// Lets time pass; where `by` is negative, only sets the time back.
    pub fn advance(&self, by: SignedDuration) {
        let mut clock = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, elapsed) = *clock;
        *clock = (
            now.saturating_add(by).unwrap_or(now),
            elapsed.saturating_add(Duration::try_from(by).unwrap_or_default()),
        );
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    fn elapsed(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}
