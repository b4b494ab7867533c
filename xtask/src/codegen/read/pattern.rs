//! Patterns: only what ECMA, Rust and Python read alike, and what can be matched byte by byte.

use std::iter::Peekable;
use std::str::Chars;

use super::super::model::{Part, Pattern};
use super::keywords::{Place, Refusal};

/// Letters with a meaning of their own, somewhere or to some engine. Instead of a backslash, a
/// class such as `[.]` says what is meant.
const SPECIAL: &str = r"\.[](){}*+?|^$&~";

/// Reads a pattern: anchored at both ends, made of letters, classes of ASCII ranges, counts of
/// these, and groups of alternatives that may be optional.
pub(crate) fn read(text: &str, place: &Place) -> Result<Pattern, Refusal> {
    let anchored = text.strip_prefix('^').and_then(|rest| rest.strip_suffix('$'));
    let Some(inner) = anchored else {
        return place.refuse("a pattern is anchored: it begins with `^` and ends with `$`");
    };
    let mut reader = Reader { rest: inner.chars().peekable(), place };
    let parts = reader.sequence()?;
    match reader.rest.next() {
        None => Ok(Pattern { text: text.to_owned(), parts }),
        Some(other) => place.refuse(format_args!("`{other}` is not understood here")),
    }
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    place: &'a Place,
}

impl Reader<'_> {
    /// Parts up to the end of the group or of the pattern.
    fn sequence(&mut self) -> Result<Vec<Part>, Refusal> {
        let mut parts = Vec::new();
        while let Some(letter) = self.rest.next_if(|letter| !matches!(letter, '|' | ')')) {
            parts.push(match letter {
                '(' => self.group()?,
                '[' => {
                    let ranges = self.class()?;
                    self.counted(ranges)?
                }
                letter => {
                    let letter = self.letter(Some(letter))?;
                    self.counted(vec![(letter, letter)])?
                }
            });
        }
        Ok(parts)
    }

    /// Alternatives up to the closing parenthesis.
    fn group(&mut self) -> Result<Part, Refusal> {
        let mut alternatives = vec![self.sequence()?];
        while self.rest.next_if_eq(&'|').is_some() {
            alternatives.push(self.sequence()?);
        }
        if self.rest.next() != Some(')') {
            return self.place.refuse("its parentheses do not match");
        }
        let optional = self.rest.next_if_eq(&'?').is_some();
        if self.rest.peek().is_some_and(|next| "{*+".contains(*next)) {
            return self.place.refuse("a group can be optional, but not repeated");
        }
        Ok(Part::Group { alternatives, optional })
    }

    /// Ranges up to the closing bracket. A hyphen stands for itself at either end.
    fn class(&mut self) -> Result<Vec<(u8, u8)>, Refusal> {
        let mut ranges = Vec::new();
        loop {
            let letter = self.rest.next();
            let is_at_end = ranges.is_empty() || self.rest.peek() == Some(&']');
            let first = match letter {
                Some(']') if !ranges.is_empty() => return Ok(ranges),
                Some('.') => b'.',
                Some('+') => b'+',
                Some('-') if is_at_end => b'-',
                Some('-') => return self.place.refuse("a hyphen in a class stands at either end"),
                letter => self.letter(letter)?,
            };
            let mut ahead = self.rest.clone();
            let is_range = ahead.next() == Some('-') && ahead.next() != Some(']');
            let last = if is_range {
                self.rest.next();
                let last = self.rest.next();
                self.letter(last)?
            } else {
                first
            };
            if first > last
                || is_range && !(first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric())
            {
                return self.place.refuse("a class has ranges of letters or digits, upwards");
            }
            ranges.push((first, last));
        }
    }

    /// A letter that stands for itself.
    fn letter(&self, letter: Option<char>) -> Result<u8, Refusal> {
        match letter {
            Some(letter) if (' '..='~').contains(&letter) && !SPECIAL.contains(letter) => {
                Ok(letter as u8)
            }
            Some(other) => self.place.refuse(format_args!(
                "`{other}` is not understood here, or not by every engine alike: write a class"
            )),
            None => self.place.refuse("it ends too early"),
        }
    }

    fn counted(&mut self, ranges: Vec<(u8, u8)>) -> Result<Part, Refusal> {
        let (minimum, maximum) = match self.rest.next_if(|next| "{?*+".contains(*next)) {
            None => (1, 1),
            Some('?') => (0, 1),
            Some('*') => (0, u32::MAX),
            Some('+') => (1, u32::MAX),
            Some(_) => {
                let count: String = self.rest.by_ref().take_while(|it| *it != '}').collect();
                let (minimum, maximum) = count.split_once(',').unwrap_or((&count, &count));
                match (minimum.parse(), maximum.parse()) {
                    (Ok(minimum), Ok(maximum)) if minimum <= maximum => (minimum, maximum),
                    _ => {
                        return self.place.refuse(format_args!(
                            "{{{count}}} is no count such as {{2}} or {{1,3}}"
                        ));
                    }
                }
            }
        };
        Ok(Part::Class { ranges, minimum, maximum })
    }
}
