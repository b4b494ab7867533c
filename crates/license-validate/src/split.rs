//! Value boundaries: where one JSON value ends and the next may begin, found as the bytes pass.
//!
//! The scanner knows brackets, strings and punctuation, so that broken input stops it early; what
//! scalars and escapes may look like is left to the parser, which reads every value after it.

/// Brackets that may be open at once, those of the whole document: the parser's own limit.
pub(crate) const DEPTH_MAX: u8 = 127;

/// What a scanner found in the bytes that it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The value goes on after these bytes.
    More,
    /// The value ends before the byte at this index.
    End(usize),
    /// No JSON value has the byte at this index here.
    Broken(usize),
    /// The bracket at this index opens one level too many.
    TooDeep(usize),
}

/// What may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Value,
    ValueOrEnd,
    /// Also after a comma, where the end is the parser's to refuse.
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    /// Inside a string, which may be a member's name and may have just seen a backslash.
    Text {
        name: bool,
        escaped: bool,
    },
    /// Inside a number or a literal.
    Word,
}

/// Scans one value that arrives in pieces.
#[derive(Clone, Debug)]
pub(crate) struct Scanner {
    expected: Expected,
    /// Brackets open around the value.
    around: u8,
    /// Brackets open, those around the value included.
    depth: u8,
    /// One bit a level: whether it is an object.
    objects: u128,
}

impl Scanner {
    /// A scanner of a value that stands inside `around` brackets.
    pub(crate) fn new(around: u8) -> Scanner {
        Scanner { expected: Expected::Value, around, depth: around, objects: 0 }
    }

    /// Whether the value is whole if the input ends here: only a number or a literal can be.
    pub(crate) fn may_end(&self) -> bool {
        self.expected == Expected::Word && self.depth == self.around
    }

    /// Reads on; `bytes` follow those of the step before. The first byte of a value is its own,
    /// no space.
    pub(crate) fn scan(&mut self, bytes: &[u8]) -> Step {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match (self.expected, byte) {
                (Expected::Text { name, escaped: true }, _) => {
                    self.expected = Expected::Text { name, escaped: false };
                }
                (Expected::Text { name, .. }, _) => {
                    let plain = |byte: &u8| !matches!(byte, b'"' | b'\\' | 0..=0x1f);
                    at += bytes[at..].iter().take_while(|byte| plain(byte)).count();
                    match bytes.get(at) {
                        None => return Step::More,
                        Some(b'"') if name => self.expected = Expected::Colon,
                        Some(b'"') => {
                            if self.ended() {
                                return Step::End(at + 1);
                            }
                        }
                        Some(b'\\') => self.expected = Expected::Text { name, escaped: true },
                        Some(_) => return Step::Broken(at),
                    }
                }
                (Expected::Word, _) if is_word(byte) => {}
                (Expected::Word, _) => {
                    if self.ended() {
                        return Step::End(at);
                    }
                    continue; // the byte after a word is judged anew
                }
                (_, b' ' | b'\t' | b'\r' | b'\n') => {}
                (Expected::KeyOrEnd, b'"') => {
                    self.expected = Expected::Text { name: true, escaped: false };
                }
                (Expected::Colon, b':') => self.expected = Expected::Value,
                (Expected::CommaOrEnd, b',') if self.in_object() => {
                    self.expected = Expected::KeyOrEnd;
                }
                (Expected::CommaOrEnd, b',') => self.expected = Expected::Value,
                (Expected::CommaOrEnd | Expected::KeyOrEnd, b'}') if self.in_object() => {
                    self.depth -= 1;
                    if self.ended() {
                        return Step::End(at + 1);
                    }
                }
                (Expected::CommaOrEnd | Expected::ValueOrEnd, b']') if !self.in_object() => {
                    self.depth -= 1;
                    if self.ended() {
                        return Step::End(at + 1);
                    }
                }
                (Expected::Value | Expected::ValueOrEnd, b'{' | b'[') => {
                    if self.depth == DEPTH_MAX {
                        return Step::TooDeep(at);
                    }
                    self.depth += 1;
                    let bit = 1 << self.depth;
                    if byte == b'{' {
                        self.objects |= bit;
                        self.expected = Expected::KeyOrEnd;
                    } else {
                        self.objects &= !bit;
                        self.expected = Expected::ValueOrEnd;
                    }
                }
                (Expected::Value | Expected::ValueOrEnd, b'"') => {
                    self.expected = Expected::Text { name: false, escaped: false };
                }
                (Expected::Value | Expected::ValueOrEnd, _) if is_word(byte) => {
                    self.expected = Expected::Word;
                }
                _ => return Step::Broken(at),
            }
            at += 1;
        }
        Step::More
    }

    /// Notes that a value inside the scanned one, or that one itself, has ended; says which.
    fn ended(&mut self) -> bool {
        self.expected = Expected::CommaOrEnd;
        self.depth == self.around
    }

    fn in_object(&self) -> bool {
        self.objects >> self.depth & 1 == 1
    }
}

/// The length of the value that `bytes` begin with, which a parser has found sound.
pub(crate) fn length(bytes: &[u8]) -> usize {
    match Scanner::new(0).scan(bytes) {
        Step::End(end) => end,
        Step::More | Step::Broken(_) | Step::TooDeep(_) => bytes.len(),
    }
}

/// Whether a value can begin with `byte`.
pub(crate) fn begins_value(byte: u8) -> bool {
    matches!(byte, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n')
}

/// What numbers and literals are made of, and what those that are misspelled often are.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'_')
}
