//! The format `date-time`: RFC 3339, as the reference asserts it.

/// Whether `text` is an RFC 3339 instant; a leap second is not judged here.
#[inline]
pub(crate) fn is_date_time(text: &[u8]) -> bool {
    let Some((stamp, rest)) = text.split_first_chunk::<19>() else { return false };
    is_stamp(stamp) && is_offset(behind_fraction(rest))
}

/// `2021-12-01T15:36:42`, a day of the calendar.
fn is_stamp(stamp: &[u8; 19]) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b't', time @ ..] = stamp else {
        return false;
    };
    let [h1, h2, b':', n1, n2, b':', s1, s2] = time else { return false };
    let digits = [y1, y2, y3, y4, m1, m2, d1, d2, h1, h2, n1, n2, s1, s2];
    if !digits.iter().fold(true, |all, digit| all & digit.is_ascii_digit()) {
        return false;
    }
    let year = u32::from(pair(*y1, *y2)) * 100 + u32::from(pair(*y3, *y4));
    let day = pair(*d1, *d2);
    1 <= day
        && day <= days(year, pair(*m1, *m2))
        && pair(*h1, *h2) <= 23
        && pair(*n1, *n2) <= 59
        && pair(*s1, *s2) <= 59
}

/// Days of a month; none for a month that does not exist.
fn days(year: u32, month: u8) -> u8 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 0,
    }
}

/// What is left behind `.` and one digit or more, or all of it.
fn behind_fraction(text: &[u8]) -> &[u8] {
    let [b'.', b'0'..=b'9', rest @ ..] = text else { return text };
    let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    &rest[count..]
}

/// `Z` or `+01:00`.
fn is_offset(text: &[u8]) -> bool {
    match text {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => {
            [h1, h2, m1, m2].iter().all(|digit| digit.is_ascii_digit())
                && pair(*h1, *h2) <= 23
                && pair(*m1, *m2) <= 59
        }
        _ => false,
    }
}

/// The number of two digits.
fn pair(tens: u8, ones: u8) -> u8 {
    (tens - b'0') * 10 + (ones - b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference() -> jsonschema::Validator {
        let schema = serde_json::json!({ "format": "date-time" });
        jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
    }

    #[test]
    fn what_is_accepted_the_reference_accepts() {
        let reference = reference();
        let valid = |text: &str| reference.is_valid(&serde_json::Value::from(text));
        let sound = "2024-02-29T23:59:59.123+01:30";
        let bytes = "0123456789-+:.TtZz /\u{7f}x";
        for place in 0..sound.len() {
            for byte in bytes.chars() {
                let mut replaced: String = sound.to_owned();
                replaced.replace_range(place..=place, &byte.to_string());
                let mut inserted = sound.to_owned();
                inserted.insert(place, byte);
                for text in [replaced, inserted, sound[..place].to_owned()] {
                    let accepted = is_date_time(text.as_bytes());
                    assert!(!accepted || valid(&text), "{text}");
                }
            }
        }
    }

    #[test]
    fn every_day_and_minute_is_judged_like_the_reference() {
        let reference = reference();
        let agree = |text: &str| {
            let valid = reference.is_valid(&serde_json::Value::from(text));
            assert_eq!(is_date_time(text.as_bytes()), valid, "{text}");
        };
        for year in [0, 1, 1900, 2000, 2023, 2024, 9999] {
            for month in 0..=13 {
                for day in 0..=32 {
                    agree(&format!("{year:04}-{month:02}-{day:02}T00:00:00Z"));
                }
            }
        }
        for pair in 0..=99 {
            if pair != 60 {
                agree(&format!("2021-12-01t12:34:{pair:02}z"));
            }
            agree(&format!("2021-12-01T{pair:02}:00:00-{pair:02}:00"));
            agree(&format!("2021-12-01T00:{pair:02}:00+00:{pair:02}"));
        }
        for text in [
            "2021-12-01T15:36:42.Z",
            "2021-12-01T15:36:42",
            "2021-12-01T15:36+01:00",
            "2021-12-01 15:36:42Z",
            "2021-12-01T15:36:42.0000000000001Z",
            "2021-12-01T15:36:42Z ",
            "",
            "T",
            "２021-12-01T15:36:42Z",
        ] {
            agree(text);
        }
    }

    #[test]
    fn a_leap_second_is_left_to_the_reference() {
        let text = "2016-12-31T23:59:60Z";
        assert!(!is_date_time(text.as_bytes()));
        assert!(reference().is_valid(&serde_json::Value::from(text)));
    }
}
