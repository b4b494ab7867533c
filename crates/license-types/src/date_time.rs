//! Dates with times: the text is kept as it was written, the instant is read from it.

use jiff::{Timestamp, civil, tz::Offset};

use crate::{documented, observed};

/// Whether a text is a date-time of RFC 3339 as JSON Schema asserts it: seconds and offset are
/// there, the day exists, and a leap second stands at 23:59 UTC.
pub(crate) fn is_rfc3339(text: &str) -> bool {
    Parts::read(text).is_some_and(|parts| {
        parts.second.is_some_and(|second| second < 60 || parts.utc_minute_of_day() == 23 * 60 + 59)
            && parts.date().is_some()
    })
}

impl documented::DateTime {
    /// The instant. A leap second counts as the second before it, digits beyond nanoseconds are
    /// dropped, and an instant beyond what a timestamp holds (late on 9999-12-30) becomes the
    /// last one.
    ///
    /// ```
    /// use license_types::DateTime;
    ///
    /// let time = DateTime::new("2021-12-01T15:36:42+01:00")?;
    /// assert_eq!(time.timestamp().to_string(), "2021-12-01T14:36:42Z");
    /// assert_eq!(time.as_str(), "2021-12-01T15:36:42+01:00");
    /// # Ok::<(), license_types::Invalid>(())
    /// ```
    pub fn timestamp(&self) -> Timestamp {
        Parts::read(self.as_str())
            .and_then(|parts| parts.timestamp())
            .expect("a date-time of RFC 3339 names an existing day")
    }
}

/// Writes UTC with milliseconds; what is finer is dropped.
///
/// ```
/// use license_types::DateTime;
///
/// let time = DateTime::from(jiff::Timestamp::UNIX_EPOCH);
/// assert_eq!(time.as_str(), "1970-01-01T00:00:00.000Z");
/// ```
impl From<Timestamp> for documented::DateTime {
    fn from(timestamp: Timestamp) -> Self {
        let text = documented::DateTime::digits(timestamp).to_vec();
        Self(String::from_utf8(text).expect("digits are ASCII"))
    }
}

impl documented::DateTime {
    /// The ASCII text of an instant, as [`from`](Self::from) writes it, for who writes many.
    ///
    /// ```
    /// use license_types::DateTime;
    ///
    /// let text = DateTime::digits(jiff::Timestamp::UNIX_EPOCH);
    /// assert_eq!(&text, b"1970-01-01T00:00:00.000Z");
    /// ```
    pub fn digits(timestamp: Timestamp) -> [u8; 24] {
        // Years before 0 have no RFC 3339 form.
        let timestamp = timestamp.max(Timestamp::constant(YEAR_ZERO, 0));
        let time = Offset::UTC.to_datetime(timestamp);
        // Written by hand, since every entry and every record bears one.
        let mut text = *b"0000-00-00T00:00:00.000Z";
        write_digits(&mut text[0..4], i32::from(time.year()));
        write_digits(&mut text[5..7], i32::from(time.month()));
        write_digits(&mut text[8..10], i32::from(time.day()));
        write_digits(&mut text[11..13], i32::from(time.hour()));
        write_digits(&mut text[14..16], i32::from(time.minute()));
        write_digits(&mut text[17..19], i32::from(time.second()));
        write_digits(&mut text[20..23], time.subsec_nanosecond() / 1_000_000);
        text
    }
}

/// Fills a place with the last digits of a number.
fn write_digits(place: &mut [u8], number: i32) {
    let mut number = number.unsigned_abs();
    for digit in place.iter_mut().rev() {
        *digit = b"0123456789"[number as usize % 10];
        number /= 10;
    }
}

/// 0000-01-01T00:00:00Z in seconds.
const YEAR_ZERO: i64 = -62_167_219_200;

impl observed::DateTime {
    /// The instant, read as [`documented::DateTime::timestamp`] does; none where the day does not
    /// exist, such as February 30. Missing seconds are 0.
    ///
    /// ```
    /// use license_types::observed::DateTime;
    ///
    /// let time = DateTime::new("2021-12-01T15:36+01:00")?;
    /// assert_eq!(time.timestamp().unwrap().to_string(), "2021-12-01T14:36:00Z");
    /// # Ok::<(), license_types::Invalid>(())
    /// ```
    pub fn timestamp(&self) -> Option<Timestamp> {
        Parts::read(self.as_str())?.timestamp()
    }
}

/// A date-time taken apart; every field is within its usual range, but the day may not exist.
struct Parts {
    year: i16,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: Option<i8>,
    nanosecond: i32,
    /// East of UTC.
    offset_minutes: i32,
}

impl Parts {
    fn read(text: &str) -> Option<Self> {
        let mut rest = text.as_bytes();
        let year = i16::try_from(number(&mut rest, 4)?).ok()?;
        skip(&mut rest, b"-")?;
        let month = two_digits(&mut rest, 1..=12)?;
        skip(&mut rest, b"-")?;
        let day = two_digits(&mut rest, 1..=31)?;
        skip(&mut rest, b"Tt")?;
        let hour = two_digits(&mut rest, 0..=23)?;
        skip(&mut rest, b":")?;
        let minute = two_digits(&mut rest, 0..=59)?;
        let second = match skip(&mut rest, b":") {
            Some(_) => Some(two_digits(&mut rest, 0..=60)?),
            None => None,
        };
        let nanosecond = match second.and_then(|_| skip(&mut rest, b".")) {
            Some(_) => fraction(&mut rest)?,
            None => 0,
        };
        let sign = skip(&mut rest, b"Zz+-")?;
        let offset_minutes = match sign {
            b'+' | b'-' => {
                let hours = i32::from(two_digits(&mut rest, 0..=23)?);
                skip(&mut rest, b":")?;
                let minutes = i32::from(two_digits(&mut rest, 0..=59)?);
                let east = hours * 60 + minutes;
                if sign == b'+' { east } else { -east }
            }
            _ => 0,
        };
        rest.is_empty().then_some(Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
            nanosecond,
            offset_minutes,
        })
    }

    fn date(&self) -> Option<civil::Date> {
        civil::Date::new(self.year, self.month, self.day).ok()
    }

    fn utc_minute_of_day(&self) -> i32 {
        (i32::from(self.hour) * 60 + i32::from(self.minute) - self.offset_minutes)
            .rem_euclid(24 * 60)
    }

    fn timestamp(&self) -> Option<Timestamp> {
        let second = self.second.unwrap_or(0).min(59);
        let local = self.date()?.at(self.hour, self.minute, second, self.nanosecond);
        let offset = Offset::from_seconds(self.offset_minutes * 60).ok()?;
        // The only instants out of reach are the last ones of the year 9999.
        Some(offset.to_timestamp(local).unwrap_or(Timestamp::MAX))
    }
}

/// Takes one of these bytes.
fn skip(rest: &mut &[u8], any: &[u8]) -> Option<u8> {
    let (first, after) = rest.split_first()?;
    any.contains(first).then(|| *rest = after).map(|()| *first)
}

/// Takes a number of exactly this many digits.
fn number(rest: &mut &[u8], digits: usize) -> Option<u32> {
    let (number, after) = rest.split_at_checked(digits)?;
    *rest = after;
    number
        .iter()
        .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
}

fn two_digits(rest: &mut &[u8], range: std::ops::RangeInclusive<i8>) -> Option<i8> {
    let number = i8::try_from(number(rest, 2)?).ok()?;
    range.contains(&number).then_some(number)
}

/// Takes the digits of a fraction, as nanoseconds.
fn fraction(rest: &mut &[u8]) -> Option<i32> {
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, after) = rest.split_at(length);
    *rest = after;
    let nine = digits.iter().copied().chain(std::iter::repeat(b'0')).take(9);
    (length > 0).then(|| nine.fold(0, |sum, byte| sum * 10 + i32::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_rfc_3339_allows_and_nothing_else() {
        for good in [
            "2021-12-01T15:36:42+01:00",
            "2021-12-01t15:36:42.5z",
            "0000-02-29T00:00:00Z",
            "1998-12-31T23:59:60Z",
            "1998-12-31T15:59:60.123-08:00",
            "1999-01-01T05:29:60+05:30",
            "9999-12-31T23:59:59.999999999999Z",
        ] {
            assert!(is_rfc3339(good), "{good}");
            documented::DateTime::new(good).unwrap().timestamp();
        }
        for bad in [
            "",
            "2021-12-01",
            "2021-12-01T15:36+01:00",
            "2021-12-01 15:36:42Z",
            "2021-12-01T15:36:42",
            "2021-12-01T15:36:42.Z",
            "2021-12-01T15:36:42,5Z",
            "2021-12-01T15:36:60Z",
            "2021-12-01T24:00:00Z",
            "2021-02-30T00:00:00Z",
            "2021-12-01T15:36:42+24:00",
            "2021-12-01T15:36:42+0100",
            "2021-12-01T15:36:42Zz",
            "+021-12-01T15:36:42Z",
        ] {
            assert!(!is_rfc3339(bad), "{bad}");
        }
    }

    #[test]
    fn an_observed_day_that_does_not_exist_is_no_instant() {
        let time = observed::DateTime::new("2021-02-30T00:00:00Z").unwrap();
        assert_eq!(time.timestamp(), None);
    }

    #[test]
    fn every_timestamp_has_a_text() {
        for (timestamp, text) in [
            (Timestamp::MIN, "0000-01-01T00:00:00.000Z"),
            (Timestamp::UNIX_EPOCH, "1970-01-01T00:00:00.000Z"),
            ("2026-11-22T13:04:59.9876Z".parse().unwrap(), "2026-11-22T13:04:59.987Z"),
            (Timestamp::MAX, "9999-12-30T22:00:00.999Z"),
        ] {
            let time = documented::DateTime::from(timestamp);
            assert_eq!(time.as_str(), text);
            assert!(is_rfc3339(text));
        }
    }
}
