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
    start: usize,
    place: Place,
    read: u64,
}

impl<R: Read> Window<R> {
    pub(crate) fn new(reader: R) -> Window<R> {
        Window { reader, buffer: Vec::new(), start: 0, place: Place::START, read: 0 }
    }

    /// What was read and not yet consumed.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// The place of the first of these bytes.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Bytes read so far.
    pub(crate) fn read(&self) -> u64 {
        self.read
    }

    /// Bytes of memory that the window holds.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Reads at least one more byte behind the others; false at the end of the input.
    pub(crate) fn fill(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let held = self.buffer.len();
        self.buffer.resize(held + BLOCK, 0);
        let result = loop {
            match self.reader.read(&mut self.buffer[held..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        let count = *result.as_ref().unwrap_or(&0);
        self.buffer.truncate(held + count);
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
        self.place = self.place.after(&self.bytes()[..count]);
        self.start += count;
    }

    /// Moves past bytes that take no place, such as a byte-order mark.
    pub(crate) fn drop_unplaced(&mut self, count: usize) {
        self.start += count;
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
