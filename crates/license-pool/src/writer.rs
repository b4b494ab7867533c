//! The one thread that acts on the store: whatever waits becomes one turn and one durable commit,
//! and only then is anybody answered. While a turn is on its way to the disk, the next one gathers.

use std::collections::{HashMap, HashSet, hash_map};
use std::mem;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use license_core::Command;
use license_types::{SessionId, Token};

use crate::Error;
use crate::log::LedgerId;
use crate::request::{Done, Granted, Read, Reply, Request, SeatId, Write};
use crate::turn::Turns;

/// More requests in a turn only make each of them wait longer.
const BATCH_MAX: usize = 512;

/// How long to wait before a release that the store did not take is tried again.
const RETRY: Duration = Duration::from_millis(100);

pub(crate) struct Writer {
    turns: Turns,
    /// How many seats stand for a retention; it is released when the last of them is dropped.
    seats: HashMap<(LedgerId, Token), u64>,
    /// Releases of dropped seats that are still to be made.
    unreleased: Vec<Write>,
    /// Who waits for the end.
    closing: Vec<Box<dyn FnOnce() + Send>>,
}

impl Writer {
    pub(crate) fn new(turns: Turns) -> Writer {
        Writer { turns, seats: HashMap::new(), unreleased: Vec::new(), closing: Vec::new() }
    }

    /// Serves requests until it is told to close and has done what was asked before.
    pub(crate) fn run(mut self, requests: &Receiver<Request>) {
        while self.closing.is_empty() {
            let Some(batch) = self.next(requests) else { break };
            self.serve(batch);
        }
        loop {
            let rest: Vec<Request> = requests.try_iter().collect();
            let last = rest.is_empty();
            self.serve(rest);
            if last {
                break;
            }
        }
        self.turns.leave();
        for closed in self.closing {
            closed();
        }
    }

    /// Whatever waits, after waiting for something; `None` when nobody is left to ask.
    fn next(&self, requests: &Receiver<Request>) -> Option<Vec<Request>> {
        let mut batch = Vec::new();
        if self.unreleased.is_empty() {
            batch.push(requests.recv().ok()?);
        } else {
            match requests.recv_timeout(RETRY) {
                Ok(request) => batch.push(request),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        batch.extend(requests.try_iter().take(BATCH_MAX - 1));
        Some(batch)
    }

    fn serve(&mut self, batch: Vec<Request>) {
        let mut waiting = Waiting { writes: mem::take(&mut self.unreleased), ..Waiting::default() };
        for request in batch {
            match request {
                Request::Write(write) => waiting.write(write),
                Request::Read(read) => waiting.reads.push(read),
                Request::Log(run) => run(self.turns.log()),
                Request::SeatDropped(seat) => {
                    // Whether this was the last seat depends on who else asks for the same one.
                    if waiting.retaining.contains(&seat.session) {
                        self.flush(mem::take(&mut waiting));
                    }
                    waiting.writes.extend(self.dropped(seat));
                }
                Request::Install(installation) => {
                    self.flush(mem::take(&mut waiting));
                    self.turns.install(installation);
                }
                Request::Close(closed) => self.closing.push(closed),
            }
        }
        self.flush(waiting);
    }

    /// Takes the turn of all that waits, and answers.
    fn flush(&mut self, Waiting { writes, reads, .. }: Waiting) {
        if !writes.is_empty() {
            match self.turns.write(&writes) {
                Ok(outcomes) => {
                    for (write, outcome) in writes.into_iter().zip(outcomes) {
                        self.answer(write, outcome);
                    }
                }
                Err(error) => {
                    for write in writes {
                        self.answer(write, Err(error.clone()));
                    }
                }
            }
        }
        if !reads.is_empty() {
            self.turns.read(reads);
        }
    }

    fn answer(&mut self, write: Write, outcome: Result<Done, Error>) {
        if let Ok(done) = &outcome {
            for released in &done.released {
                self.seats.remove(&(done.ledger, released.token));
            }
        }
        match write.reply {
            Reply::Nobody => {
                if outcome.is_err_and(|error| error.is_transient()) {
                    self.unreleased.push(Write { reply: Reply::Nobody, ..write });
                }
            }
            Reply::Caller(reply) => {
                let granted = outcome.as_ref().ok().and_then(|done| done.granted.clone());
                let taken = reply(outcome);
                match granted {
                    Some(Granted { seat, .. }) if taken => {
                        *self.seats.entry((seat.ledger, seat.token)).or_default() += 1;
                    }
                    Some(Granted { seat, new: true }) => {
                        self.unreleased.push(seat.release(Reply::Nobody));
                    }
                    Some(Granted { new: false, .. }) | None => {}
                }
            }
        }
    }

    /// The release to make when a seat was dropped: none while others stand for the retention, or
    /// when it ended before.
    fn dropped(&mut self, seat: SeatId) -> Option<Write> {
        let hash_map::Entry::Occupied(mut seats) = self.seats.entry((seat.ledger, seat.token))
        else {
            return None;
        };
        *seats.get_mut() -= 1;
        if *seats.get() > 0 {
            return None;
        }
        seats.remove();
        Some(seat.release(Reply::Nobody))
    }
}

/// What is gathered for one turn.
#[derive(Default)]
struct Waiting {
    writes: Vec<Write>,
    reads: Vec<Read>,
    /// The sessions that ask for a license.
    retaining: HashSet<Arc<SessionId>>,
}

impl Waiting {
    fn write(&mut self, write: Write) {
        if let Command::Retain(retain) = &write.command {
            self.retaining.insert(retain.session.clone());
        }
        self.writes.push(write);
    }
}
