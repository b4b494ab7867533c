//! The clock of the store, as far as it is believed. It decides which rights are valid, so setting it
//! must gain nothing: set back, it goes on from where it was; set ahead by more than an hour, it is
//! believed only once it has stood there for ten minutes. Pure: the caller says what the clock shows
//! and what time elapsed.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// A clock that is further ahead than this was set; less may be a correction of its drift.
const JUMP: SignedDuration = SignedDuration::from_hours(1);

/// How long a clock must stand where it jumped to before it is believed.
const STAND: Duration = Duration::from_secs(600);

/// What is believed of the store's clock.
#[derive(Default)]
pub(crate) struct StoreClock {
    /// The time last believed, and the elapsed time then.
    believed: Option<(Timestamp, Duration)>,
    /// The elapsed time when it was last believed unconditionally.
    since: Duration,
    jump: Option<Jump>,
}

/// A jump ahead that is not believed yet.
struct Jump {
    since: Duration,
    /// How far ahead it went.
    ahead: SignedDuration,
}

/// The time that the store's clock tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockState {
    /// The time that entries bear.
    pub now: Timestamp,
    /// What the clock shows, where that is not believed: it jumped ahead by more than an hour, less
    /// than ten minutes ago.
    pub skew: Option<Timestamp>,
}

impl StoreClock {
    /// The time, if the clock shows `shown` at `elapsed`. Never less than before plus what elapsed since.
    pub(crate) fn read(&mut self, shown: Timestamp, elapsed: Duration) -> ClockState {
        let Some((before, at)) = self.believed else {
            return self.believe_anew(shown, elapsed);
        };
        let passed = elapsed.saturating_sub(at);
        let expected = before.saturating_add(passed).unwrap_or(before);
        let ahead = shown.duration_since(expected);
        if ahead <= JUMP {
            return self.believe(shown.max(expected), elapsed);
        }
        let stands = self.jump.take().filter(|jump| (jump.ahead - ahead).abs() <= JUMP);
        let since = stands.map_or(elapsed, |jump| jump.since);
        if elapsed.saturating_sub(since) >= STAND {
            return self.believe(shown, elapsed);
        }
        self.jump = Some(Jump { since, ahead });
        self.believed = Some((expected, elapsed));
        ClockState { now: expected, skew: Some(shown) }
    }

    /// The time last believed, and the elapsed time then; a time long ago if it was never read.
    pub(crate) fn believed(&self) -> (Timestamp, Duration) {
        self.believed.unwrap_or((Timestamp::MIN, Duration::ZERO))
    }

    /// The time, if an administrator corrected the clock at `corrected`. What the clock shows is then
    /// believed, but only if the correction came after the clock was last believed unconditionally,
    /// and not if it bears a time that is still to come.
    pub(crate) fn read_corrected(
        &mut self,
        corrected: Timestamp,
        shown: Timestamp,
        elapsed: Duration,
    ) -> ClockState {
        let passed = elapsed.saturating_sub(self.since);
        let since = shown.saturating_sub(passed).unwrap_or(Timestamp::MIN);
        if (since..=shown).contains(&corrected) {
            return self.believe_anew(shown, elapsed);
        }
        self.read(shown, elapsed)
    }

    /// Believes what the clock shows unconditionally.
    pub(crate) fn believe_anew(&mut self, shown: Timestamp, elapsed: Duration) -> ClockState {
        self.since = elapsed;
        self.believe(shown, elapsed)
    }

    fn believe(&mut self, shown: Timestamp, elapsed: Duration) -> ClockState {
        self.believed = Some((shown, elapsed));
        self.jump = None;
        ClockState { now: shown, skew: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A clock that showed ten o'clock at the start.
    fn started() -> StoreClock {
        let mut clock = StoreClock::default();
        assert_eq!(clock.read(at("2026-01-05T10:00:00Z"), seconds(7)).skew, None);
        clock
    }

    #[test]
    fn at_the_start_whatever_is_shown_is_believed() {
        let mut clock = StoreClock::default();
        let shown = at("2099-01-01T00:00:00Z");
        assert_eq!(clock.read(shown, seconds(7)), ClockState { now: shown, skew: None });
    }

    #[test]
    fn a_clock_that_is_set_back_gains_nothing() {
        let mut clock = started();
        let state = clock.read(at("2025-01-05T10:00:00Z"), seconds(7 + 60));
        assert_eq!(state, ClockState { now: at("2026-01-05T10:01:00Z"), skew: None });
        let state = clock.read(at("2025-01-05T10:00:00Z"), seconds(7 + 60 + HOUR));
        assert_eq!(state.now, at("2026-01-05T11:01:00Z"));
        // Once it is right again it is gone by.
        let state = clock.read(at("2026-01-05T11:01:30Z"), seconds(7 + 60 + HOUR + 5));
        assert_eq!(state.now, at("2026-01-05T11:01:30Z"));
    }

    #[test]
    fn a_jump_ahead_is_believed_once_it_has_stood() {
        let mut clock = started();
        for passed in [0, 1, 599] {
            let shown = at("2026-01-05T12:00:00Z") + SignedDuration::from_secs(passed);
            let state = clock.read(shown, seconds(7 + passed.unsigned_abs()));
            let now = at("2026-01-05T10:00:00Z") + SignedDuration::from_secs(passed);
            assert_eq!(state, ClockState { now, skew: Some(shown) });
        }
        let shown = at("2026-01-05T12:10:00Z");
        assert_eq!(clock.read(shown, seconds(607)), ClockState { now: shown, skew: None });
    }

    #[test]
    fn a_clock_that_was_ahead_for_minutes_leaves_nothing_behind() {
        let mut clock = started();
        assert!(clock.read(at("2099-01-01T00:00:00Z"), seconds(7)).skew.is_some());
        let state = clock.read(at("2026-01-05T10:01:00Z"), seconds(67));
        assert_eq!(state, ClockState { now: at("2026-01-05T10:01:00Z"), skew: None });
        // The next jump must stand on its own.
        assert!(clock.read(at("2099-01-01T00:00:00Z"), seconds(68)).skew.is_some());
        assert!(clock.read(at("2099-01-01T00:10:00Z"), seconds(667)).skew.is_some());
        assert!(clock.read(at("2098-01-01T00:10:00Z"), seconds(668)).skew.is_some());
        assert!(clock.read(at("2098-01-01T00:10:00Z"), seconds(669)).skew.is_some());
    }

    #[test]
    fn a_correction_that_is_still_to_come_says_nothing_of_a_jump() {
        let mut clock = started();
        let shown = at("2098-01-01T00:00:00Z");
        let state = clock.read_corrected(at("2099-01-01T00:00:00Z"), shown, seconds(8));
        assert_eq!(state, ClockState { now: at("2026-01-05T10:00:01Z"), skew: Some(shown) });
    }

    #[test]
    fn a_long_silence_is_no_jump() {
        let mut clock = started();
        let shown = at("2026-02-05T10:00:00Z");
        let state = clock.read(shown, seconds(7 + 31 * 24 * HOUR));
        assert_eq!(state, ClockState { now: shown, skew: None });
    }
}
