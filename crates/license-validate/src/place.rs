//! Lines and columns: where a byte of the input stands, in the terms of an editor.

/// A line and a column, both from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

impl Place {
    /// The place of the first byte.
    pub(crate) const START: Place = Place { line: 1, column: 1 };

    /// The place just after `bytes`, which begin here.
    pub(crate) fn after(self, bytes: &[u8]) -> Place {
        match bytes.iter().rposition(|&byte| byte == b'\n') {
            Some(last) => Place {
                line: self.line + count(&bytes[..=last], |byte| byte == b'\n'),
                column: 1 + characters(&bytes[last + 1..]),
            },
            None => Place { column: self.column + characters(bytes), ..self },
        }
    }

    /// The place in the whole input of what stands at `inner` in a part of it that begins here.
    pub(crate) fn of(self, inner: Place) -> Place {
        match inner.line {
            1 => Place { column: self.column + inner.column - 1, ..self },
            line => Place { line: self.line + line - 1, ..inner },
        }
    }
}

/// Bytes that begin a character; bytes that are not UTF-8 are counted by the same rule.
fn characters(bytes: &[u8]) -> u64 {
    count(bytes, |byte| byte & 0b1100_0000 != 0b1000_0000)
}

/// How many bytes are of a kind. Each chunk is counted in one byte, so that many are counted at once.
fn count(bytes: &[u8], is: impl Fn(u8) -> bool) -> u64 {
    let chunks = bytes.chunks(usize::from(u8::MAX));
    chunks.map(|chunk| u64::from(chunk.iter().map(|&byte| u8::from(is(byte))).sum::<u8>())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_from_the_last_line_break() {
        let after = |text: &str| {
            let place = Place::START.after(text.as_bytes());
            (place.line, place.column)
        };
        assert_eq!(after(""), (1, 1));
        assert_eq!(after("ab"), (1, 3));
        assert_eq!(after("é漢🎫"), (1, 4));
        assert_eq!(after("a\r\nbc"), (2, 3));
        assert_eq!(after("\n\n"), (3, 1));
    }

    #[test]
    fn a_place_can_be_reached_in_steps() {
        let text = "{\n  \"é\": 1,\n\n \"b\": [2]\n}".as_bytes();
        for cut in 0..=text.len() {
            assert_eq!(
                Place::START.after(&text[..cut]).after(&text[cut..]),
                Place::START.after(text),
                "cut at {cut}"
            );
            assert_eq!(
                Place::START.after(&text[..cut]).of(Place::START.after(&text[cut..])),
                Place::START.after(text),
                "begun at {cut}"
            );
        }
    }
}
