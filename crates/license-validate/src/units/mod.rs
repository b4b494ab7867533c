//! What is judged on its own, cut from a stream: a document, the elements of a usage report, or
//! the records of NDJSON. One unit is in memory at a time.

mod ahead;
mod broken;
mod pass;
#[cfg(test)]
mod tests;

use std::io::{self, Read};

pub(crate) use self::ahead::{Ahead, Between, Part, Work};
use self::broken::Extent;
use crate::{
    malformed::{Malformed, Problem},
    place::Place,
    split::begins_value,
    window::{Window, is_space},
};

/// How a stream is to be cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    /// Each line is a record; else several values in one stream are records, one alone a document.
    pub(crate) lines: bool,
    /// A document that is an array is cut into its elements.
    pub(crate) elements: bool,
    /// Bytes that a unit may have.
    pub(crate) limit: usize,
}

/// The part that a unit plays in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Document,
    Record,
    /// An element of the document's array, with its index.
    Element(u64),
}

impl Role {
    pub(crate) fn index(self) -> Option<u64> {
        match self {
            Role::Element(index) => Some(index),
            Role::Document | Role::Record => None,
        }
    }
}

/// One unit; its text is [`Units::text`] until the next is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) role: Role,
    /// Where its text begins.
    pub(crate) place: Place,
}

/// A stream, cut into units.
pub(crate) struct Units<R> {
    window: Window<R>,
    cut: Cut,
    state: State,
    text: Vec<u8>,
    /// Long values in a row that were broken.
    long_broken: u8,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Start,
    Lines,
    /// Inside the document's array, which begins at the place, before the element of this index.
    Elements(Place, u64),
    /// Between the values of a stream of several.
    Values,
    Done,
}

type Next = io::Result<Option<Result<Unit, Malformed>>>;

impl<R: Read> Units<R> {
    pub(crate) fn new(reader: R, cut: Cut) -> Units<R> {
        Units {
            window: Window::new(reader),
            cut,
            state: State::Start,
            text: Vec::new(),
            long_broken: 0,
        }
    }

    /// The text of the unit that was returned last.
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Bytes read so far.
    pub(crate) fn read(&self) -> u64 {
        self.window.read()
    }

    /// Bytes of memory that the units hold, which no length of the stream raises.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.window.capacity() + self.text.capacity()
    }

    /// The next unit, or what stands in the place of one; `None` at the end.
    pub(crate) fn next(&mut self) -> Next {
        match self.state {
            State::Start => self.start(),
            State::Lines => self.line(),
            State::Elements(begin, index) => self.element(begin, index),
            State::Values => self.value(),
            State::Done => Ok(None),
        }
    }

    fn start(&mut self) -> Next {
        self.window.byte(2)?;
        match self.window.bytes() {
            [0xef, 0xbb, 0xbf, ..] => self.window.drop_unplaced(3),
            [0xfe, 0xff, ..] | [0xff, 0xfe, ..] => return self.stop(Problem::Utf16),
            _ => {}
        }
        if self.cut.lines {
            self.state = State::Lines;
            return self.line();
        }
        match self.window.skip(is_space)? {
            None => self.stop(Problem::Empty),
            Some(b'[') if self.cut.elements => {
                let begin = self.window.place();
                self.window.consume(1);
                self.element(begin, 0)
            }
            Some(_) => self.first(),
        }
    }

    /// The first value: a document if nothing follows, else a record of several. What follows on
    /// the same line must look like a value.
    fn first(&mut self) -> Next {
        let extent = self.extent(0)?;
        let Extent::Whole(length) = extent else { return self.recover(&extent, true) };
        let place = self.take(length);
        let end = self.window.place();
        let (state, role) = match self.window.skip(is_space)? {
            None => (State::Done, Role::Document),
            Some(byte) if begins_value(byte) || end.line < self.window.place().line => {
                (State::Values, Role::Record)
            }
            Some(_) => return self.stop(trailing()),
        };
        self.state = state;
        Ok(Some(Ok(Unit { role, place })))
    }

    /// The next of several values.
    fn value(&mut self) -> Next {
        if self.window.skip(is_space)?.is_none() {
            self.state = State::Done;
            return Ok(None);
        }
        let extent = self.extent(0)?;
        let Extent::Whole(length) = extent else { return self.recover(&extent, false) };
        let place = self.take(length);
        Ok(Some(Ok(Unit { role: Role::Record, place })))
    }

    /// The element `index` of the document's array, or what follows the array.
    fn element(&mut self, begin: Place, index: u64) -> Next {
        let mut byte = self.window.skip(is_space)?;
        if byte == Some(b']') {
            self.window.consume(1);
            return self.close(begin);
        }
        if index > 0 {
            if byte != Some(b',') {
                return self.stop(Problem::Syntax(match byte {
                    None => format!("the array that begins on line {} is not closed", begin.line),
                    Some(_) => "expected `,` or `]`".to_owned(),
                }));
            }
            self.window.consume(1);
            byte = self.window.skip(is_space)?;
            if byte == Some(b']') {
                return self.stop(Problem::Syntax("trailing comma".to_owned()));
            }
        }
        match (byte, self.extent(1)?) {
            (Some(_), Extent::Whole(length)) => {
                self.state = State::Elements(begin, index + 1);
                let place = self.take(length);
                Ok(Some(Ok(Unit { role: Role::Element(index), place })))
            }
            (_, extent) => {
                self.state = State::Done;
                Ok(Some(Err(self.explain(&extent, usize::MAX)?)))
            }
        }
    }

    /// After the array that begins at `begin`: if other values follow, it was a record itself.
    fn close(&mut self, begin: Place) -> Next {
        match self.window.skip(is_space)? {
            None => {
                self.state = State::Done;
                Ok(None)
            }
            Some(byte) if begins_value(byte) => {
                self.state = State::Values;
                self.text.clear();
                self.text.extend_from_slice(b"[]"); // its elements are judged and gone
                Ok(Some(Ok(Unit { role: Role::Record, place: begin })))
            }
            Some(_) => self.stop(trailing()),
        }
    }

    /// The next line that is not blank.
    fn line(&mut self) -> Next {
        loop {
            let mut scanned = 0;
            let end = loop {
                let bytes = self.window.bytes();
                if let Some(end) = bytes[scanned..].iter().position(|&byte| byte == b'\n') {
                    break scanned + end;
                }
                scanned = bytes.len();
                if scanned > self.cut.limit || !self.window.fill()? {
                    break scanned;
                }
            };
            if end > self.cut.limit {
                let malformed = self.too_large();
                self.window.skip(|byte| byte != b'\n')?;
                return Ok(Some(Err(malformed)));
            }
            let place = self.take(end);
            if self.window.byte(0)?.is_some() {
                self.window.consume(1); // the line break
            } else {
                self.state = State::Done;
            }
            if !self.text.iter().all(|&byte| is_space(byte)) {
                return Ok(Some(Ok(Unit { role: Role::Record, place })));
            }
            if matches!(self.state, State::Done) {
                return Ok(None);
            }
        }
    }

    /// Moves the first bytes of the window into `text`; the place where they began.
    fn take(&mut self, length: usize) -> Place {
        let place = self.window.place();
        self.text.clear();
        self.text.extend_from_slice(&self.window.bytes()[..length]);
        self.window.consume(length);
        place
    }

    /// The record that the window begins with is.
    fn too_large(&mut self) -> Malformed {
        Problem::TooLarge { limit: self.cut.limit }.at(self.window.place())
    }

    /// Ends the stream with a problem at the window's place.
    fn stop(&mut self, problem: Problem) -> Next {
        self.state = State::Done;
        Ok(Some(Err(problem.at(self.window.place()))))
    }
}

fn trailing() -> Problem {
    Problem::Syntax("trailing characters".to_owned())
}
