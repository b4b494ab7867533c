//! Time as leases count it: by two clocks, of which the one that shows more time passed is believed.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

/// One instant by both clocks of the machine.
///
/// The monotonic clock stands still while a machine sleeps, and the wall clock may be set back. The
/// greater of the two differences is too small only if both happen at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Monotonic time since some start.
    pub(crate) elapsed: Duration,
    /// Wall time since 1970.
    pub(crate) wall: Duration,
}

impl Moment {
    /// Now.
    pub(crate) fn now() -> Moment {
        static START: OnceLock<Instant> = OnceLock::new();
        Moment {
            elapsed: START.get_or_init(Instant::now).elapsed(),
            wall: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default(),
        }
    }

    /// Time since `earlier`, by the clock that shows more.
    pub(crate) fn since(self, earlier: Moment) -> Duration {
        let elapsed = self.elapsed.saturating_sub(earlier.elapsed);
        elapsed.max(self.wall.saturating_sub(earlier.wall))
    }
}
