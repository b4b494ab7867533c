//! Strings: where they end, and what they may hold.

use super::Rest;

/// A string without a constraint.
#[inline]
pub(crate) fn text(input: &[u8]) -> Rest<'_> {
    string(input).map(|string| string.rest)
}

/// A string that is written without escapes and whose content fits.
#[inline]
pub(crate) fn text_where<'a>(input: &'a [u8], fits: impl FnOnce(&'a [u8]) -> bool) -> Rest<'a> {
    let (content, rest) = plain(input)?;
    fits(content).then_some(rest)
}

/// The content of a string that is written without escapes, and what is left behind it.
#[inline]
pub(super) fn plain(input: &[u8]) -> Option<(&[u8], &[u8])> {
    string(input).filter(|string| !string.escaped).map(|string| (string.content, string.rest))
}

/// How many characters (code points) the content of a string has; it is UTF-8.
#[inline]
pub(crate) fn characters(content: &[u8]) -> usize {
    content.iter().filter(|&&byte| byte & 0b1100_0000 != 0b1000_0000).count()
}

/// A string as it is written, without its quotes.
struct Written<'a> {
    content: &'a [u8],
    escaped: bool,
    rest: &'a [u8],
}

#[inline]
fn string(input: &[u8]) -> Option<Written<'_>> {
    let input = input.strip_prefix(b"\"")?;
    let length = simple(input);
    match input.get(length)? {
        b'"' => {
            Some(Written { content: &input[..length], escaped: false, rest: &input[length + 1..] })
        }
        _ => special(input, length),
    }
}

/// The length of the ASCII that the bytes begin with, up to a quote, backslash or control character.
#[inline]
fn simple(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((chunk, behind)) = rest.split_first_chunk() {
        let stops = stops(u64::from_le_bytes(*chunk));
        if stops != 0 {
            return bytes.len() - rest.len() + stops.trailing_zeros() as usize / 8;
        }
        rest = behind;
    }
    let is_simple = |byte: &u8| matches!(byte, b' '..=0x7f) && !matches!(byte, b'"' | b'\\');
    bytes.len() - rest.len() + rest.iter().take_while(|byte| is_simple(byte)).count()
}

/// Eight bytes at once: the lowest bit that is set is the high bit of the first byte that is not
/// simple. (Higher ones may be wrong: a subtraction borrows from the byte above a hit.)
#[inline]
fn stops(bytes: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let quotes = (bytes ^ (EACH * b'"' as u64)).wrapping_sub(EACH);
    let backslashes = (bytes ^ (EACH * b'\\' as u64)).wrapping_sub(EACH);
    let controls = bytes.wrapping_sub(EACH * b' ' as u64);
    (quotes | backslashes | controls | bytes) & (EACH * 0x80)
}

/// The rest of a string whose first `length` bytes are simple and whose next one is not.
#[inline(never)]
fn special(input: &[u8], mut length: usize) -> Option<Written<'_>> {
    let mut escaped = false;
    loop {
        match input.get(length)? {
            b'"' => break,
            b'\\' => {
                escaped = true;
                length += escape(&input[length + 1..])? + 1;
            }
            ..b' ' => return None,
            _ => length += 1,
        }
        length += simple(&input[length..]);
    }
    let content = &input[..length];
    std::str::from_utf8(content).ok()?;
    Some(Written { content, escaped, rest: &input[length + 1..] })
}

/// The length of the escape behind a backslash; surrogates are left to the reference.
fn escape(input: &[u8]) -> Option<usize> {
    match input {
        [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Some(1),
        [b'u', b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F', ..] => None,
        [b'u', digits @ ..] => {
            let digits: &[u8; 4] = digits.first_chunk()?;
            digits.iter().all(u8::is_ascii_hexdigit).then_some(5)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(document: &[u8]) -> bool {
        text(document).is_some_and(<[u8]>::is_empty)
    }

    /// What the reference's parser says, which the reader may doubt but not contradict.
    fn is_json(document: &[u8]) -> bool {
        serde_json::from_slice::<serde_json::Value>(document).is_ok()
    }

    #[test]
    fn every_byte_is_judged_at_every_place_of_a_chunk() {
        for byte in 0..=u8::MAX {
            for before in 0..18 {
                for after in [0, 3, 20] {
                    let content = [vec![b'x'; before], vec![byte], vec![b'y'; after]].concat();
                    let document = [b"\"", content.as_slice(), b"\""].concat();
                    assert_eq!(accepts(&document), is_json(&document), "{document:?}");
                    if byte.is_ascii() && accepts(&document) {
                        assert_eq!(plain(&document), Some((content.as_slice(), &b""[..])));
                    }
                }
            }
        }
    }

    #[test]
    fn neighbours_of_a_stop_do_not_hide_or_fake_one() {
        let bytes = [b'"', b'"' + 1, b'\\', b'\\' + 1, b' ', 0x1f, 0x7f, 0x80, b'!', b'a'];
        for a in bytes {
            for b in bytes {
                for c in bytes {
                    for lead in 0..8 {
                        let content = [vec![b'x'; lead], vec![a, b, c], vec![b'y'; 9]].concat();
                        let simple_bytes = |byte: &&u8| {
                            (b' '..0x80).contains(*byte) && **byte != b'"' && **byte != b'\\'
                        };
                        let expected = content.iter().take_while(simple_bytes).count();
                        assert_eq!(simple(&content), expected, "{content:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn texts_are_utf_8_with_sound_escapes() {
        for (document, accepted) in [
            (r#""""#, true),
            (r#""\"\\\/\b\f\n\r\t""#, true),
            (r#""\u0041\u00e9\u0000\uFFFF\ud7ff\ue000""#, true),
            ("\"é漢🎫\"", true),
            (r#""\x""#, false),
            (r#""\u12""#, false),
            (r#""\u12g4""#, false),
            (r#""\u+123""#, false),
            (r#""\ud800""#, false),
            (r#""\uDFFF""#, false),
            (r#""\"#, false),
            (r#""\""#, false),
            (r#"""#, false),
            ("", false),
            ("x", false),
        ] {
            assert_eq!(accepts(document.as_bytes()), accepted, "{document}");
            assert!(!accepted || is_json(document.as_bytes()), "{document}");
        }
        for broken in [&b"\"\xc3\""[..], b"\"\xff\"", b"\"\xed\xa0\x80\"", b"\"\xc0\x80\""] {
            assert!(!accepts(broken), "{broken:?}");
        }
        // Valid, and left to the reference.
        assert!(!accepts(br#""\ud83c\udfab""#) && is_json(br#""\ud83c\udfab""#));
    }

    #[test]
    fn a_text_with_a_constraint_is_written_without_escapes() {
        assert_eq!(plain("\"é漢\",".as_bytes()), Some(("é漢".as_bytes(), &b","[..])));
        assert_eq!(plain(br#""a\nb""#), None);
        assert_eq!(text_where(b"\"a\",", |text| text == b"a"), Some(&b","[..]));
        assert_eq!(text_where(b"\"b\",", |text| text == b"a"), None);
        assert_eq!(characters("aé漢🎫".as_bytes()), 4);
    }
}
