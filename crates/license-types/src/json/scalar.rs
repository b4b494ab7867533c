//! Integers and text, read as JSON Schema reads them.

use serde_json::Value;

use super::{Invalid, ParseError, Pointer, Rule};

/// Reads an integer: any number without a fraction, so `15.0` and `1e2` too.
pub(crate) fn integer<N: TryFrom<i64>, T>(
    value: &Value,
    at: &Pointer<'_>,
    rule: &'static Rule,
    new: fn(N) -> Result<T, Invalid>,
) -> Result<T, ParseError> {
    let Value::Number(number) = value else {
        return Err(ParseError::expected(rule.expected, value, at));
    };
    number
        .as_i64()
        .or_else(|| number.as_f64().and_then(integral))
        .and_then(|integer| N::try_from(integer).ok())
        .ok_or_else(|| rule.refuse(number))
        .and_then(new)
        .map_err(|invalid| ParseError::invalid(&invalid, at))
}

fn integral(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "saturates, far beyond every bound")]
    (number.fract() == 0.0).then_some(number as i64)
}

/// Reads text, of which the type then judges what it says.
pub(crate) fn text(
    value: Value,
    at: &Pointer<'_>,
    rule: &'static Rule,
) -> Result<String, ParseError> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(ParseError::expected(rule.expected, &other, at)),
    }
}

/// Whether a text has as many characters as its type allows; counted in code points.
pub(crate) fn length_within(text: &str, minimum: usize, maximum: usize) -> bool {
    // A text of n bytes has n/4 to n characters: most need no counting.
    let count = if text.is_ascii() { text.len() } else { text.chars().count() };
    (minimum..=maximum).contains(&count)
}
