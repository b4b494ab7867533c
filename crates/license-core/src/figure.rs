//! Daily figures of a product: what capacity is planned by, and what is added up for them while a
//! day runs. They are folds of the entries, in whole milliseconds, so that every server that reads a
//! log computes the same ones.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    ops::Range,
    sync::Arc,
};

use jiff::Timestamp;
use license_types::{Date, DateTime, ProductDay, ProductId};
use serde::{Deserialize, Serialize};

use crate::{
    rights::Allowance,
    wire::{count, seconds},
};

pub(crate) const DAY: i64 = 24 * 60 * 60 * 1000;

/// What became of a product on one day, or on several days that are all alike.
///
/// A ledger that nothing happens to has no entries either: when the next one comes, the days since
/// the last are told at once, those in a row on which the same was held as one figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// The product.
    pub product: ProductId,
    /// Its name at the end of the day.
    pub product_name: Arc<str>,
    /// The day's first instant, in UTC; of several days, the first one's. If the clock was set back
    /// into a day, a later instant of it: these figures are added to those that the day has already.
    pub start: Timestamp,
    /// For how many days in a row these figures are true, each day on its own.
    pub days: u64,
    /// Licenses allowed at the end of the day.
    pub allowed_count: u64,
    /// The most that were in use at once.
    pub peak_used_count: u64,
    /// Milliseconds after the start of the day, when the peak was first reached.
    pub peak_after: u64,
    /// Milliseconds in which nothing was left.
    pub with_nothing_left: u64,
    /// Milliseconds for which licenses were held, added up over all of them.
    pub held: u64,
    /// Retentions that began.
    pub retained: u64,
    /// What was refused.
    pub refusals: Refusals,
}

/// How often a product was refused on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// All of them, each repetition counted.
    pub times: u64,
    /// Different sessions that were refused.
    pub sessions: u64,
    /// Those after which the session went without.
    pub lasting: u64,
}

impl Figure {
    /// When the last of the days ends.
    pub fn end(&self) -> Timestamp {
        let days = i64::try_from(self.days).unwrap_or(i64::MAX).saturating_mul(DAY);
        timestamp(self.midnight().saturating_add(days))
    }

    /// What is left of it once all days from the midnight `void` on are [void](crate::Entry::void_from).
    pub fn before(mut self, void: Timestamp) -> Option<Figure> {
        let left = (void.as_millisecond() - self.midnight()).div_euclid(DAY);
        self.days = self.days.min(u64::try_from(left).unwrap_or(0));
        (self.days > 0).then_some(self)
    }

    /// When the first of the days begins.
    fn midnight(&self) -> i64 {
        midnight(self.start.as_millisecond())
    }

    /// Whether any of the days begins or ends in a stretch of time.
    pub fn is_within(&self, time: &Range<Timestamp>) -> bool {
        self.start < time.end && time.start < self.end()
    }

    /// The figures as reports show them: one for each product and day that begins or ends in a stretch
    /// of time, in that order of days. Of figures of the same day and start the last counts.
    pub fn product_days(
        figures: impl IntoIterator<Item = Figure>,
        time: &Range<Timestamp>,
    ) -> Vec<ProductDay> {
        let figures = figures.into_iter().map(|figure| ((figure.start, figure.product), figure));
        let mut days: BTreeMap<(i64, ProductId), Figure> = BTreeMap::new();
        for ((_, product), figure) in figures.collect::<BTreeMap<_, _>>() {
            for start in figure.starts(time) {
                let day = Figure { start: timestamp(start), ..figure.clone() };
                match days.entry((midnight(start), product)) {
                    Entry::Occupied(mut told) if start > midnight(start) => told.get_mut().add(day),
                    Entry::Occupied(mut told) => *told.get_mut() = day,
                    Entry::Vacant(place) => drop(place.insert(day)),
                }
            }
        }
        let product_day = |((midnight, _), figure): (_, Figure)| {
            figure.into_product_day(date(midnight), DAY.unsigned_abs())
        };
        days.into_iter().map(product_day).collect()
    }

    /// When each of its days begins that begins or ends in a stretch of time.
    fn starts(&self, time: &Range<Timestamp>) -> impl Iterator<Item = i64> + use<> {
        let (from, until) = (time.start.as_millisecond(), time.end.as_millisecond());
        let (start, days) = (self.start.as_millisecond(), self.days);
        // The first day that ends after `from`.
        let first = from.saturating_sub(self.midnight()).div_euclid(DAY);
        let starts = (u64::try_from(first).unwrap_or(0)..days)
            .map_while(move |day| start.checked_add(DAY.checked_mul(i64::try_from(day).ok()?)?));
        starts.take_while(move |start| *start < until)
    }

    /// Adds what was counted after the clock was set back into this day.
    pub(crate) fn add(&mut self, more: Figure) {
        if more.peak_used_count > self.peak_used_count {
            let after = more.start.as_millisecond() - self.start.as_millisecond();
            self.peak_used_count = more.peak_used_count;
            self.peak_after = more.peak_after.saturating_add_signed(after);
        }
        self.allowed_count = more.allowed_count;
        self.product_name = more.product_name;
        self.with_nothing_left = self.with_nothing_left.saturating_add(more.with_nothing_left);
        self.held = self.held.saturating_add(more.held);
        self.retained = self.retained.saturating_add(more.retained);
        let (told, more) = (&mut self.refusals, more.refusals);
        told.times = told.times.saturating_add(more.times);
        told.sessions = told.sessions.saturating_add(more.sessions);
        told.lasting = told.lasting.saturating_add(more.lasting);
    }

    /// The figure of a day that is so many milliseconds long.
    pub(crate) fn into_product_day(self, date: Date, day: u64) -> ProductDay {
        let start = self.start.as_millisecond();
        let peak_at = start.saturating_add_unsigned(self.peak_after);
        // If the clock was set back, some time was counted twice, nobody knows how much; but a sum
        // cannot exceed the day.
        let with_nothing_left = self.with_nothing_left.min(day);
        let held = self.held.min(self.peak_used_count.saturating_mul(day));
        ProductDay {
            date,
            time_zone: None,
            product_id: self.product,
            product_name: self.product_name.to_string(),
            user_name: None,
            session_id: None,
            allowed_count: count(self.allowed_count),
            peak_used_count: count(self.peak_used_count),
            peak_at: (self.peak_used_count > 0).then(|| DateTime::from(timestamp(peak_at))),
            seconds_with_nothing_left: seconds(with_nothing_left / 1000),
            held_seconds: seconds(held / 1000),
            retained: count(self.retained),
            refused: count(self.refusals.times),
            sessions_refused: count(self.refusals.sessions),
            true_refusals: count(self.refusals.lasting),
        }
    }
}

/// When the day of an instant begins.
pub(crate) fn midnight(at: i64) -> i64 {
    at - at.rem_euclid(DAY)
}

/// The instant of a number of milliseconds that came from an instant.
pub(crate) fn timestamp(milliseconds: i64) -> Timestamp {
    let nearest = if milliseconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(milliseconds).unwrap_or(nearest)
}

pub(crate) fn date(start: i64) -> Date {
    let day = DateTime::from(timestamp(start));
    Date::new(&day.as_str()[..10]).expect("a date-time begins with a date")
}

/// What is added up for a product during a day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Running {
    /// Up to when the two times are added up, in milliseconds of the epoch.
    pub(crate) since: i64,
    /// Licenses allowed since then, as reports say it.
    pub(crate) allowed: u64,
    /// How many in use leave nothing.
    pub(crate) limit: u64,
    pub(crate) held: u64,
    pub(crate) with_nothing_left: u64,
    pub(crate) peak: u64,
    pub(crate) peak_at: i64,
    pub(crate) retained: u64,
}

impl Running {
    /// Begins a day, or what is left of it, with `used` in use.
    pub(crate) fn begin(at: i64, used: u64, allowance: Option<Allowance>) -> Running {
        let mut running = Running {
            since: at,
            allowed: 0,
            limit: u64::MAX,
            held: 0,
            with_nothing_left: 0,
            peak: used,
            peak_at: at,
            retained: 0,
        };
        running.allow(allowance);
        running
    }

    /// Notes what is allowed from now on; `None` where the license does not list the product.
    pub(crate) fn allow(&mut self, allowance: Option<Allowance>) {
        self.allowed = allowance.map_or(0, Allowance::count);
        self.limit = match allowance {
            Some(Allowance::Limited(count)) => count,
            // Who is refused for another reason does not want for a license.
            Some(Allowance::Expired { .. } | Allowance::Unlimited) | None => u64::MAX,
        };
    }

    /// Adds the time up to `at`, in which `used` were in use.
    #[inline]
    pub(crate) fn pass(&mut self, at: i64, used: u64) {
        let passed = u64::try_from(at - self.since).unwrap_or(0);
        if passed > 0 {
            self.since = at;
            self.held = self.held.saturating_add(used.saturating_mul(passed));
            if used >= self.limit {
                self.with_nothing_left = self.with_nothing_left.saturating_add(passed);
            }
        }
    }

    /// One more is retained at `at`: now `used` are in use.
    #[inline]
    pub(crate) fn retain(&mut self, at: i64, used: u64) {
        self.retained = self.retained.saturating_add(1);
        if used > self.peak {
            (self.peak, self.peak_at) = (used, at);
        }
    }
}
