//! Days as the clocks of a time zone show them: mostly as long as others.

use std::ops::Range;

use jiff::{civil, tz::TimeZone};
use license_types::Date;

use super::NEVER;
use crate::figure::{self, timestamp};

/// The day of an instant, from its first instant to that of the next.
pub(super) fn day_of(zone: &TimeZone, at: i64) -> Range<i64> {
    let date = civil(zone, at);
    let first = |date: civil::Date| {
        let first = date.to_zoned(zone.clone()).ok()?;
        Some(first.timestamp().as_millisecond())
    };
    // Where the calendar ends, the first and the last day have no other instants.
    let next = date.tomorrow().ok().and_then(first);
    first(date).unwrap_or(at)..next.unwrap_or(NEVER)
}

/// The date of an instant.
pub(super) fn date(zone: &TimeZone, at: i64) -> Date {
    let date = civil(zone, at).strftime("%Y-%m-%d").to_string();
    // Years have four digits in JSON.
    Date::new(date).unwrap_or_else(|_| figure::date(at))
}

fn civil(zone: &TimeZone, at: i64) -> civil::Date {
    timestamp(at).to_zoned(zone.clone()).date()
}
