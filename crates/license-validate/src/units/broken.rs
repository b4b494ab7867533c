//! Values that end too early, or never: what is told of them, and where the next may begin.

use std::io::{self, Read};

use super::{Next, State, Units};
use crate::{
    malformed::{Malformed, Problem},
    split::{Scanner, Step},
    text,
};

/// How far the value reaches that the window begins with.
pub(super) enum Extent {
    Whole(usize),
    /// The byte at this index, or the end of the input there, breaks it.
    Broken(usize),
    TooDeep(usize),
    TooLarge,
}

/// Bytes that a value may have for what follows its first line to be looked at again without being
/// counted.
const SHORT: usize = 64 * 1024;

/// Long values in a row that are broken and whose later lines are looked at again.
const LONG_BROKEN_MAX: u8 = 8;

impl<R: Read> Units<R> {
    /// How far the value reaches that the window begins with, inside `around` brackets.
    pub(super) fn extent(&mut self, around: u8) -> io::Result<Extent> {
        let mut scanner = Scanner::new(around);
        let mut scanned = 0;
        let extent = loop {
            match scanner.scan(&self.window.bytes()[scanned..]) {
                Step::End(end) => break Extent::Whole(scanned + end),
                Step::Broken(at) => break Extent::Broken(scanned + at),
                Step::TooDeep(at) => break Extent::TooDeep(scanned + at),
                Step::More => scanned = self.window.bytes().len(),
            }
            if scanned > self.cut.limit {
                break Extent::TooLarge;
            }
            if !self.window.fill()? {
                let whole = scanner.may_end();
                break if whole { Extent::Whole(scanned) } else { Extent::Broken(scanned) };
            }
        };
        // What is behind the limit must not count, or else the size of blocks would.
        Ok(match extent {
            Extent::Whole(at) | Extent::Broken(at) | Extent::TooDeep(at) if at > self.cut.limit => {
                Extent::TooLarge
            }
            extent => extent,
        })
    }

    /// Tells what breaks the value that the window begins with, and goes on behind it: at the next
    /// line if that begins with a bracket, as in NDJSON; else, unless the value is the only one so
    /// far, at the first line below that does.
    pub(super) fn recover(&mut self, extent: &Extent, first: bool) -> Next {
        let seen = match extent {
            Extent::Whole(at) | Extent::Broken(at) | Extent::TooDeep(at) => *at,
            Extent::TooLarge => self.cut.limit,
        };
        let seen = seen.min(self.window.bytes().len());
        // Brackets on many lines that are never closed must not make each line be read for each.
        self.long_broken = if seen > SHORT { self.long_broken.saturating_add(1) } else { 0 };
        let line = self.window.bytes()[..seen].iter().position(|&byte| byte == b'\n');
        if let Some(end) = line
            && self.long_broken <= LONG_BROKEN_MAX
            && !(first && breaks_lines(&self.window.bytes()[..end]))
            && self.opens(end + 1)?
        {
            let malformed = self.explain(extent, end)?;
            self.window.consume(end + 1);
            self.state = State::Values;
            return Ok(Some(Err(malformed)));
        }
        let malformed = self.explain(extent, usize::MAX)?;
        self.window.consume(seen);
        self.state = State::Done;
        let is_document = first && line.is_some();
        while !is_document && self.window.skip(|byte| byte != b'\n')?.is_some() {
            self.window.consume(1);
            if self.opens(0)? {
                self.state = State::Values;
                break;
            }
            if first {
                break;
            }
        }
        Ok(Some(Err(malformed)))
    }

    /// Whether a bracket stands at `index`.
    fn opens(&mut self, index: usize) -> io::Result<bool> {
        Ok(matches!(self.window.byte(index)?, Some(b'{' | b'[')))
    }

    /// What breaks the value that the window begins with, as far as its first `end` bytes tell.
    pub(super) fn explain(&mut self, extent: &Extent, end: usize) -> io::Result<Malformed> {
        let place = self.window.place();
        Ok(match *extent {
            Extent::TooLarge => self.too_large(),
            Extent::TooDeep(at) if at < end => {
                Problem::TooDeep.at(place.after(&self.window.bytes()[..at]))
            }
            Extent::Whole(at) | Extent::Broken(at) | Extent::TooDeep(at) => {
                self.window.byte(at + 3)?; // whole characters only
                let bytes = self.window.bytes();
                let continues = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
                let more = bytes.iter().skip(at + 1).take_while(continues).count();
                let bytes = &bytes[..(at + 1 + more).min(end).min(bytes.len())];
                let unexpected = || Problem::Syntax("unexpected character".to_owned()).at(place);
                text::parse(bytes, place).err().unwrap_or_else(unexpected)
            }
        })
    }
}

/// Whether a value that is laid out over lines would have one that ends like this.
fn breaks_lines(line: &[u8]) -> bool {
    matches!(line.trim_ascii_end().last(), Some(b'{' | b'[' | b','))
}
