//! What patterns compile to: each part takes bytes from the start of a text and returns the rest.
//!
//! A part takes what it can and is never asked to take less, unlike a regular expression: so a text
//! that fits a pattern may not be accepted, but one that is accepted fits.

use super::Rest;

/// Whether the whole text fits what `pattern` takes.
#[inline]
pub(crate) fn fits<'a>(text: &'a [u8], pattern: impl Fn(&'a [u8]) -> Rest<'a>) -> bool {
    pattern(text).is_some_and(<[u8]>::is_empty)
}

/// `[…]{count}`: as many bytes of a class.
#[inline]
pub(crate) fn exactly(text: &[u8], count: usize, class: impl Fn(u8) -> bool) -> Rest<'_> {
    let (bytes, rest) = text.split_at_checked(count)?;
    // Without a way out in the middle, so that it compiles to a few wide instructions.
    bytes.iter().fold(true, |all, &byte| all & class(byte)).then_some(rest)
}

/// `[…]{minimum,maximum}`: as many bytes of a class as there are.
#[inline]
pub(crate) fn repeat(
    text: &[u8],
    minimum: usize,
    maximum: usize,
    class: impl Fn(u8) -> bool,
) -> Rest<'_> {
    let count = text.iter().take(maximum).take_while(|&&byte| class(byte)).count();
    (minimum <= count).then(|| &text[count..])
}

/// `(…|…)`: the first that takes something.
#[inline]
pub(crate) fn either<'a>(
    text: &'a [u8],
    first: impl Fn(&'a [u8]) -> Rest<'a>,
    second: impl Fn(&'a [u8]) -> Rest<'a>,
) -> Rest<'a> {
    first(text).or_else(|| second(text))
}

/// `(…)?`: the part if it is there.
#[inline]
pub(crate) fn optional<'a>(text: &'a [u8], part: impl Fn(&'a [u8]) -> Rest<'a>) -> Rest<'a> {
    part(text).or(Some(text))
}

/// `[0-9]`
#[inline]
pub(crate) fn digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

/// `[0-9A-Fa-f]`
#[inline]
pub(crate) fn hex_digit(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_take_what_they_can() {
        assert_eq!(exactly(b"123", 2, digit), Some(&b"3"[..]));
        assert_eq!(exactly(b"1", 2, digit), None);
        assert_eq!(exactly(b"1x", 2, digit), None);
        assert_eq!(repeat(b"123x", 1, 2, digit), Some(&b"3x"[..]));
        assert_eq!(repeat(b"123x", 0, usize::MAX, digit), Some(&b"x"[..]));
        assert_eq!(repeat(b"x", 0, 9, digit), Some(&b"x"[..]));
        assert_eq!(repeat(b"x", 1, 9, digit), None);
        let pair = |text| exactly(text, 2, digit);
        let letter = |text| exactly(text, 1, |byte| byte == b'x');
        assert_eq!(either(b"12", pair, letter), Some(&b""[..]));
        assert_eq!(either(b"x2", pair, letter), Some(&b"2"[..]));
        assert_eq!(either(b"2", pair, letter), None);
        assert_eq!(optional(b"12", pair), Some(&b""[..]));
        assert_eq!(optional(b"1", pair), Some(&b"1"[..]));
        assert!(fits(b"12", pair) && !fits(b"1", pair) && !fits(b"123", pair));
    }
}
