//! Days and instants as people type them.

use std::str::FromStr;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::failure::Failure;

/// A day, `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day(pub Date);

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Day, String> {
        // The parser would also accept a date with a time, and ignore the time.
        let day = (text.len() == "2026-01-31".len()).then(|| text.parse().ok()).flatten();
        day.map(Day).ok_or_else(|| "write a day as 2026-01-31".to_owned())
    }
}

/// A day or an instant at which a span begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instant {
    /// A whole day: a span that begins or ends here includes all of it.
    Day(Date),
    /// This very instant.
    Exact(Timestamp),
}

impl Instant {
    /// The first instant of a span that begins here; days are those of `zone`.
    pub(crate) fn start(self, zone: &TimeZone) -> Timestamp {
        match self {
            Instant::Day(date) => midnight(date, zone),
            Instant::Exact(timestamp) => timestamp,
        }
    }

    /// The first instant after a span that ends here; days are those of `zone`.
    pub(crate) fn end(self, zone: &TimeZone) -> Timestamp {
        match self {
            Instant::Day(date) => {
                date.tomorrow().map_or(Timestamp::MAX, |next| midnight(next, zone))
            }
            Instant::Exact(timestamp) => timestamp,
        }
    }
}

/// The first instant of a span and the first one after it, each if it is given; days are those of
/// `zone`.
///
/// # Errors
/// When it ends before it begins.
pub(crate) fn span(
    from: Option<Instant>,
    to: Option<Instant>,
    zone: &TimeZone,
) -> Result<(Option<Timestamp>, Option<Timestamp>), Failure> {
    let span = (from.map(|from| from.start(zone)), to.map(|to| to.end(zone)));
    match span {
        (Some(from), Some(to)) if to <= from => {
            Err(Failure::usage(format!("the time asked for ends at {to}, and begins at {from}"))
                .hint("--from or --since takes the earlier time, --to or --until the later one"))
        }
        _ => Ok(span),
    }
}

/// A time zone of the IANA database, by name.
#[derive(Clone, Debug)]
pub(crate) struct Zone(pub TimeZone);

/// Names in the database that are no time zones: the first two mean that it is unknown, and what the
/// others mean depends on the machine.
const NO_ZONES: [&str; 4] = ["Etc/Unknown", "Factory", "localtime", "posixrules"];

impl FromStr for Zone {
    type Err = String;

    fn from_str(name: &str) -> Result<Zone, String> {
        let is_one = !NO_ZONES.iter().any(|none| none.eq_ignore_ascii_case(name));
        let zone = is_one.then(|| TimeZone::get(name).ok()).flatten();
        zone.map(Zone).ok_or_else(|| "write a name such as UTC or Europe/Berlin".to_owned())
    }
}

impl FromStr for Instant {
    type Err = String;

    fn from_str(text: &str) -> Result<Instant, String> {
        if let Ok(timestamp) = text.parse() {
            return Ok(Instant::Exact(timestamp));
        }
        let Day(date) = text
            .parse()
            .map_err(|_| "write a day as 2026-01-31 or an instant as 2026-01-31T12:00:00Z")?;
        Ok(Instant::Day(date))
    }
}

/// The first instant of a day.
pub(crate) fn midnight(date: Date, zone: &TimeZone) -> Timestamp {
    date.to_zoned(zone.clone()).map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_spans_from_its_first_instant_to_its_last() {
        let day: Instant = "2026-01-31".parse().unwrap();
        assert_eq!(day.start(&TimeZone::UTC).to_string(), "2026-01-31T00:00:00Z");
        assert_eq!(day.end(&TimeZone::UTC).to_string(), "2026-02-01T00:00:00Z");
    }

    #[test]
    fn a_day_is_that_of_the_time_zone() {
        let day: Instant = "2026-03-29".parse().unwrap();
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(day.start(&zone).to_string(), "2026-03-28T23:00:00Z");
        assert_eq!(day.end(&zone).to_string(), "2026-03-29T22:00:00Z");
    }

    #[test]
    fn an_instant_may_have_any_offset() {
        let instant: Instant = "2026-01-31T12:00:00+01:00".parse().unwrap();
        assert_eq!(instant.start(&TimeZone::UTC).to_string(), "2026-01-31T11:00:00Z");
        assert_eq!(instant.end(&TimeZone::UTC), instant.start(&TimeZone::UTC));
    }

    #[test]
    fn other_spellings_are_refused_with_the_right_one() {
        for text in ["", "yesterday", "31.1.2026", "2026-02-30", "2026-01-31 12:00"] {
            let error = text.parse::<Instant>().unwrap_err();
            assert!(error.contains("2026-01-31"), "{text}: {error}");
        }
    }

    #[test]
    fn a_name_that_tells_no_time_zone_is_refused() {
        for name in ["Etc/Unknown", "etc/unknown", "Factory", "localtime", "posixrules", "", "CEST"]
        {
            let error = name.parse::<Zone>().unwrap_err();
            assert!(error.contains("Europe/Berlin"), "{name}: {error}");
        }
        for name in ["UTC", "Etc/UTC", "GMT", "europe/berlin"] {
            name.parse::<Zone>().unwrap();
        }
    }
}
