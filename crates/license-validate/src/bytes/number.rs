//! Numbers: integers with bounds, and any number whose value no schema asks for.

use super::Rest;

/// Digits that an integer may have here: enough for every bound that a schema states (2^53 − 1),
/// and too few to overflow.
const DIGITS: usize = 16;

/// Digits that a number of unknown meaning may have: with two digits of exponent it stays far below
/// what a double holds, beyond which the reference's parser refuses it.
const LONG: usize = 32;

/// An integer from `minimum` to `maximum`, written as such.
#[inline]
pub(crate) fn integer(input: &[u8], minimum: i64, maximum: i64) -> Rest<'_> {
    let (value, rest) = match input {
        [b'-', b'0', ..] => return None,
        [b'-', input @ ..] => natural(input).map(|(value, rest)| (-value, rest))?,
        _ => natural(input)?,
    };
    // A fraction, an exponent or one more digit is left in `rest`, where no JSON goes on so.
    (minimum <= value && value <= maximum).then_some(rest)
}

#[inline]
fn natural(input: &[u8]) -> Option<(i64, &[u8])> {
    let (&first, mut rest) = input.split_first()?;
    let mut value = match first {
        b'0' => return Some((0, rest)),
        b'1'..=b'9' => i64::from(first - b'0'),
        _ => return None,
    };
    for _ in 1..DIGITS {
        let [digit @ b'0'..=b'9', behind @ ..] = rest else { break };
        value = value * 10 + i64::from(digit - b'0');
        rest = behind;
    }
    Some((value, rest))
}

/// Any number of usual length.
pub(super) fn number(input: &[u8]) -> Rest<'_> {
    let input = input.strip_prefix(b"-").unwrap_or(input);
    let mut rest = match input {
        [b'0', rest @ ..] => rest,
        _ => digits(input, LONG)?,
    };
    if let [b'.', fraction @ ..] = rest {
        rest = digits(fraction, LONG)?;
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', exponent @ ..] => exponent,
            _ => exponent,
        };
        rest = digits(exponent, 2)?;
    }
    Some(rest)
}

/// One to `limit` digits, and no more behind them.
fn digits(input: &[u8], limit: usize) -> Rest<'_> {
    let count = input.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (1..=limit).contains(&count).then(|| &input[count..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_keeps_its_bounds() {
        let accepted = |text: &str, minimum, maximum| {
            integer(text.as_bytes(), minimum, maximum).is_some_and(<[u8]>::is_empty)
        };
        const MAX: i64 = (1 << 53) - 1;
        for text in ["0", "1", "808464441", "9007199254740991"] {
            assert!(accepted(text, 0, MAX), "{text}");
        }
        for text in ["-1", "-9007199254740991", "0"] {
            assert!(accepted(text, -MAX, MAX), "{text}");
        }
        for text in [
            "",
            "-",
            "-0",
            "00",
            "01",
            "-01",
            "+1",
            "1.0",
            "1e3",
            "1E3",
            ".5",
            "9007199254740992",
            "90071992547409910",
            "123456789012345678901234567890",
            "0x1",
            "x",
            "\"1\"",
        ] {
            assert!(!accepted(text, -MAX, MAX), "{text}");
        }
        assert!(accepted("15", 15, 86400) && !accepted("14", 15, 86400));
        assert!(accepted("86400", 15, 86400) && !accepted("86401", 15, 86400));
        assert!(!accepted("-1", 0, MAX));
    }

    #[test]
    fn a_number_of_unknown_meaning_is_what_the_parser_takes() {
        let accepted = |text: &str| number(text.as_bytes()).is_some_and(<[u8]>::is_empty);
        let parts = [
            ["", "-", "+"].as_slice(),
            &["0", "7", "12", "012", ""],
            &["", ".", ".5", ".05"],
            &["", "e", "e5", "E+05", "e-5", "e+"],
        ];
        for sign in parts[0] {
            for whole in parts[1] {
                for fraction in parts[2] {
                    for exponent in parts[3] {
                        let text = format!("{sign}{whole}{fraction}{exponent}");
                        let parsed = serde_json::from_str::<serde_json::Value>(&text).is_ok();
                        assert_eq!(accepted(&text), parsed, "{text}");
                    }
                }
            }
        }
        // The largest ones still have a double; larger ones are left to the reference.
        let largest = format!("-{0}.{0}e99", "9".repeat(LONG));
        assert!(accepted(&largest) && serde_json::from_str::<f64>(&largest).is_ok());
        for text in ["1e100", "1e-100", &"9".repeat(LONG + 1), "1e400"] {
            assert!(!accepted(text), "{text}");
        }
    }
}
