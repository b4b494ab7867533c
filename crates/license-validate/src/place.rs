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
                line: self.line
                    + bytes[..=last].iter().filter(|&&byte| byte == b'\n').count() as u64,
                column: 1 + characters(&bytes[last + 1..]),
            },
            None => Place { column: self.column + characters(bytes), ..self },
        }
    }
}

/// Bytes that begin a character; bytes that are not UTF-8 are counted by the same rule.
fn characters(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte & 0b1100_0000 != 0b1000_0000).count() as u64
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
        }
    }
}
