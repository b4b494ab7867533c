//! Answers that may be too long for memory: one JSON value a line, read as it arrives.

use std::fmt;
use std::io::{BufRead, Read};
use std::marker::PhantomData;
use std::sync::Arc;

use license_types::Entry;
use serde::de::DeserializeOwned;

use crate::servers::foreign;
use crate::transport::{Answer, LINE_BYTES_MAX};
use crate::{Error, ServerUrl};

/// The entries of a log, read as they arrive.
pub type Entries = Lines<Entry>;

/// Values of one kind, read as they arrive. After an error there are no more.
pub struct Lines<T> {
    reader: Option<Box<dyn BufRead + Send>>,
    server: ServerUrl,
    line: Vec<u8>,
    values: PhantomData<fn() -> T>,
}

impl<T> Lines<T> {
    pub(crate) fn new(answer: Answer, server: ServerUrl) -> Lines<T> {
        let reader = Some(answer.body.into_reader());
        Lines { reader, server, line: Vec::new(), values: PhantomData }
    }
}

impl<T: DeserializeOwned> Lines<T> {
    /// The next value; `None` at the end.
    fn read(&mut self) -> Result<Option<T>, Error> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        self.line.clear();
        let read = reader.take(LINE_BYTES_MAX).read_until(b'\n', &mut self.line);
        let read = read.map_err(|error| {
            let (servers, source) = (self.server.to_string(), Arc::new(error));
            Error::Unreachable { servers, source }
        });
        match read? {
            0 => Ok(None),
            _ if !self.line.ends_with(b"\n") => {
                Err(foreign(&self.server, 200, "the answer was cut off"))
            }
            _ => serde_json::from_slice(&self.line)
                .map(Some)
                .map_err(|error| foreign(&self.server, 200, error)),
        }
    }
}

impl<T: DeserializeOwned> Iterator for Lines<T> {
    type Item = Result<T, Error>;

    fn next(&mut self) -> Option<Result<T, Error>> {
        let read = self.read();
        if !matches!(read, Ok(Some(_))) {
            self.reader = None;
        }
        read.transpose()
    }
}

impl<T> fmt::Debug for Lines<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("server", &self.server).finish_non_exhaustive()
    }
}
