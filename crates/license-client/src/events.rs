//! Follows a log: gives entries as they are appended, over connections that may break.
//!
//! The server sends server-sent events: an `id` is a sequence, the data is an entry, an event named
//! `reset` says that the log does not go on from there, and comments show that the connection lives.
//! [`Events`] remembers the last `id`, and asks for what comes after it when it connects again. That is
//! why nothing is given twice or left out.

use std::fmt;
use std::io::{BufRead, Read};
use std::thread;
use std::time::Duration;

use license_types::{Entry, LogReset};

use crate::servers::foreign;
use crate::transport::{Answer, LINE_BYTES_MAX};
use crate::{Client, Error, ServerUrl};

/// The pause before connecting again: a server that ends breaks all its connections at once.
const PAUSE: Duration = Duration::from_millis(100);

/// One step of a log that is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    /// An entry, the next one after that before.
    Entry(Box<Entry>),
    /// What comes does not continue what came before: the store was put back to an earlier state, or
    /// entries in between were deleted. Anything counted from entries must be counted anew.
    Reset {
        /// The entries that follow have greater sequences than this.
        sequence: u64,
    },
}

/// A log that is followed; see [`Client::events`].
///
/// Each step waits until something is appended. When the connection breaks, it is made again with any
/// server that answers; no entry comes twice or is left out. An error means that no server answered in
/// time, or that the client may not follow; reading on after an error tries again.
pub struct Events {
    client: Client,
    /// The sequence that was received last.
    after: Option<u64>,
    /// The connection, unless it broke.
    stream: Option<Stream>,
    /// An event that was read but not handed out yet.
    read: Option<Event>,
}

impl Events {
    pub(crate) fn begin(client: Client, after: Option<u64>) -> Result<Events, Error> {
        let mut events = Events { client, after, stream: None, read: None };
        // A server first sends the sequence from which it goes on. Knowing that, no entry is lost if the
        // connection breaks before anything is appended.
        events.read = events.connect()?.event();
        events.after = events.read.as_ref().and_then(|read| read.id).or(after);
        Ok(events)
    }

    /// The sequence that was received last: following from there on misses nothing.
    pub fn after(&self) -> Option<u64> {
        self.after
    }

    fn connect(&mut self) -> Result<&mut Stream, Error> {
        if self.stream.is_none() {
            let (answer, server) = self.client.stream_of_events(self.after)?;
            self.stream = Some(Stream::new(answer, server));
        }
        Ok(self.stream.as_mut().expect("it was made just now"))
    }
}

impl Iterator for Events {
    type Item = Result<Followed, Error>;

    fn next(&mut self) -> Option<Result<Followed, Error>> {
        loop {
            let stream = match self.connect() {
                Ok(stream) => stream,
                Err(error) => return Some(Err(error)),
            };
            let server = stream.server.clone();
            let Some(event) = self.read.take().or_else(|| self.stream.as_mut()?.event()) else {
                self.stream = None;
                thread::sleep(PAUSE.mul_f64(0.5 + fastrand::f64()));
                continue;
            };
            self.after = event.id.or(self.after);
            if let Some(followed) = event.followed() {
                return Some(followed.map_err(|reason| {
                    self.stream = None;
                    foreign(&server, 200, reason)
                }));
            }
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("after", &self.after).finish_non_exhaustive()
    }
}

/// One connection that carries server-sent events.
struct Stream {
    reader: Box<dyn BufRead + Send>,
    server: ServerUrl,
    line: Vec<u8>,
}

/// One server-sent event: the lines up to an empty one.
#[derive(Default)]
struct Event {
    id: Option<u64>,
    kind: String,
    data: String,
}

impl Stream {
    fn new(answer: Answer, server: ServerUrl) -> Stream {
        Stream { reader: answer.body.into_reader(), server, line: Vec::new() }
    }

    /// The next whole event; `None` if the connection breaks.
    fn event(&mut self) -> Option<Event> {
        let mut event = Event::default();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Some(event);
            }
            // A line that begins with a colon is a comment: its name is empty, so it is skipped below.
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "id" => event.id = value.parse().ok(),
                "event" => event.kind = value.to_owned(),
                // No event of ours is so long: what answers is no license server.
                "data" if event.data.len() as u64 > LINE_BYTES_MAX => return None,
                "data" => event.data += value,
                _ => {}
            }
        }
    }

    fn line(&mut self) -> Option<&str> {
        self.line.clear();
        let mut limited = self.reader.by_ref().take(LINE_BYTES_MAX);
        limited.read_until(b'\n', &mut self.line).ok()?;
        std::str::from_utf8(self.line.strip_suffix(b"\n")?).ok()
    }
}

impl Event {
    /// What it says about the log; none for an event without data, which only shows that the
    /// connection lives.
    fn followed(&self) -> Option<Result<Followed, String>> {
        let Event { kind, data, .. } = self;
        if data.is_empty() {
            return None;
        }
        let followed = match kind.as_str() {
            "" => serde_json::from_str(data).map(|entry| Followed::Entry(Box::new(entry))),
            "reset" => serde_json::from_str(data)
                .map(|LogReset { sequence }| Followed::Reset { sequence: sequence.get() }),
            // A kind that only a later version knows.
            _ => return None,
        };
        Some(followed.map_err(|error| error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn an_event_that_does_not_end_is_given_up() {
        let lines =
            |count: usize| "data: ".to_owned() + &"x".repeat(1 << 20) + &"\ndata: x".repeat(count);
        let event = |text: String| {
            let server = "http://127.0.0.1:1".parse().unwrap();
            let reader = Box::new(std::io::Cursor::new(text.into_bytes()));
            Stream { reader, server, line: Vec::new() }.event()
        };
        assert!(event(lines(1) + "\n\n").is_some_and(|event| event.data.len() == (1 << 20) + 1));
        let endless = lines(0) + "\n";
        assert!(event(endless.repeat(6) + "\n").is_none());
    }
}
