//! Days and instants as people type them.

use std::str::FromStr;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// A day, `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day(pub Date);

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Day, String> {
        // The parser would also take a time along, and drop it.
        let day = (text.len() == "2026-01-31".len()).then(|| text.parse().ok()).flatten();
        day.map(Day).ok_or_else(|| "write a day as 2026-01-31".to_owned())
    }
}

/// A day in UTC or an instant, to begin or to end a span with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instant {
    /// From its first instant to its last.
    Day(Date),
    /// This very instant.
    Exact(Timestamp),
}

impl Instant {
    /// The first instant of a span that begins here.
    pub(crate) fn start(self) -> Timestamp {
        match self {
            Instant::Day(date) => midnight(date),
            Instant::Exact(timestamp) => timestamp,
        }
    }

    /// The first instant after a span that ends here.
    pub(crate) fn end(self) -> Timestamp {
        match self {
            Instant::Day(date) => date.tomorrow().map_or(Timestamp::MAX, midnight),
            Instant::Exact(timestamp) => timestamp,
        }
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

fn midnight(date: Date) -> Timestamp {
    date.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_spans_from_its_first_instant_to_its_last() {
        let day: Instant = "2026-01-31".parse().unwrap();
        assert_eq!(day.start().to_string(), "2026-01-31T00:00:00Z");
        assert_eq!(day.end().to_string(), "2026-02-01T00:00:00Z");
    }

    #[test]
    fn an_instant_may_have_any_offset() {
        let instant: Instant = "2026-01-31T12:00:00+01:00".parse().unwrap();
        assert_eq!(instant.start().to_string(), "2026-01-31T11:00:00Z");
        assert_eq!(instant.end(), instant.start());
    }

    #[test]
    fn other_spellings_are_refused_with_the_right_one() {
        for text in ["", "yesterday", "31.1.2026", "2026-02-30", "2026-01-31 12:00"] {
            let error = text.parse::<Instant>().unwrap_err();
            assert!(error.contains("2026-01-31"), "{text}: {error}");
        }
    }
}
