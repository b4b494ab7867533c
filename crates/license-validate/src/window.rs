//! A window on a stream: the bytes that are being judged, and where in the input they stand.
//!
//! It holds what was read and not yet consumed, so its size is that of the largest record and one
//! block, however long the stream.

use std::io::{self, ErrorKind, Read};

use crate::place::Place;

/// Bytes asked of the reader at once.
const BLOCK: usize = 64 * 1024;

/// The unconsumed part of a stream.
pub(crate) struct Window<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Where in the buffer the window begins and ends; what is behind it is overwritten.
    start: usize,
    end: usize,
    /// The place of the byte at `placed`, which is not behind `start`.
    place: Place,
    placed: usize,
    read: u64,
}

impl<R: Read> Window<R> {
    pub(crate) fn new(reader: R) -> Window<R> {
        Window {
            reader,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            place: Place::START,
            placed: 0,
            read: 0,
        }
    }

    /// What was read and not yet consumed.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The place of the first of these bytes. It is counted when it is asked for, since most bytes
    /// are passed over without a question.
    pub(crate) fn place(&mut self) -> Place {
        self.place = self.place.after(&self.buffer[self.placed..self.start]);
        self.placed = self.start;
        self.place
    }

    /// Bytes read so far.
    pub(crate) fn read(&self) -> u64 {
        self.read
    }

    /// Where the bytes are read.
    pub(crate) fn reader(&mut self) -> &mut R {
        &mut self.reader
    }

    /// Moves past `count` bytes that were read elsewhere, up to `place`; the window is empty.
    pub(crate) fn jump(&mut self, count: usize, place: Place) {
        assert!(self.bytes().is_empty(), "what is in the window comes first");
        self.read += count as u64;
        (self.place, self.placed) = (place, self.start);
    }

    /// Bytes of memory that the window holds.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Reads at least one more byte behind the others; false at the end of the input.
    pub(crate) fn fill(&mut self) -> io::Result<bool> {
        self.place();
        // A large record is moved once, not for each of its blocks.
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.placed, self.end) = (0, 0, self.end - self.start);
        }
        if self.buffer.len() < self.end + BLOCK {
            self.buffer.resize(self.end + BLOCK, 0);
        }
        let free = self.end..self.end + BLOCK;
        let result = loop {
            match self.reader.read(&mut self.buffer[free.clone()]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        let count = *result.as_ref().unwrap_or(&0);
        self.end += count;
        self.read += count as u64;
        result.map(|count| count > 0)
    }

    /// The byte at `index`, read if need be; `None` past the end of the input.
    pub(crate) fn byte(&mut self, index: usize) -> io::Result<Option<u8>> {
        while self.bytes().len() <= index {
            if !self.fill()? {
                return Ok(None);
            }
        }
        Ok(Some(self.bytes()[index]))
    }

    /// Moves past the first `count` bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count;
    }

    /// Moves past bytes that take no place, such as a byte-order mark.
    pub(crate) fn drop_unplaced(&mut self, count: usize) {
        self.place();
        self.start += count;
        self.placed = self.start;
    }

    /// Moves past the bytes that `skipped` accepts; the byte that stopped it, `None` at the end.
    pub(crate) fn skip(&mut self, skipped: impl Fn(u8) -> bool) -> io::Result<Option<u8>> {
        loop {
            match self.bytes().iter().position(|&byte| !skipped(byte)) {
                Some(count) => {
                    self.consume(count);
                    return Ok(self.bytes().first().copied());
                }
                None => {
                    self.consume(self.bytes().len());
                    if !self.fill()? {
                        return Ok(None);
                    }
                }
            }
        }
    }
}

/// Whether `byte` is a space of JSON.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
