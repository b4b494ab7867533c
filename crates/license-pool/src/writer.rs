//! Acts on the store for all that wait: a batch becomes one turn and one durable commit, and only
//! then is anybody answered.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use license_core::Command;
use license_types::{SessionId, Token};

use crate::Error;
use crate::log::LedgerId;
use crate::request::{Done, Granted, Read, Reply, Request, SeatId, Write};
use crate::turn::Turns;

/// How long to wait before a release that the store did not take is tried again.
const RETRY: Duration = Duration::from_millis(100);

pub(crate) struct Writer {
    turns: Turns,
    /// How many seats stand for a retention; it is released when the last of them is dropped.
    seats: BTreeMap<(LedgerId, Token), u64>,
    /// Releases of dropped seats that are still to be made.
    unreleased: Vec<Write>,
    retry_at: Duration,
    /// Who waits for the end.
    closing: Vec<Box<dyn FnOnce() + Send>>,
}

impl Writer {
    pub(crate) fn new(turns: Turns) -> Writer {
        Writer {
            turns,
            seats: BTreeMap::new(),
            unreleased: Vec::new(),
            retry_at: Duration::ZERO,
            closing: Vec::new(),
        }
    }

    /// When to call again although nobody asks: a release that the store did not take is tried again.
    pub(crate) fn due(&self) -> Option<Duration> {
        (!self.unreleased.is_empty()).then_some(self.retry_at)
    }

    /// Whether the pool is to end.
    pub(crate) fn is_closing(&self) -> bool {
        !self.closing.is_empty()
    }

    /// Ends the pool, once nothing waits any more.
    pub(crate) fn close(&mut self) {
        self.turns.leave();
        for closed in self.closing.drain(..) {
            closed();
        }
    }

    /// Serves what waits, and what is due.
    pub(crate) fn serve(&mut self, batch: Vec<Request>) {
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
        self.retry_at = self.turns.elapsed() + RETRY;
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
        let btree_map::Entry::Occupied(mut seats) = self.seats.entry((seat.ledger, seat.token))
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
    retaining: BTreeSet<Arc<SessionId>>,
}

impl Waiting {
    fn write(&mut self, write: Write) {
        if let Command::Retain(retain) = &write.command {
            self.retaining.insert(retain.session.clone());
        }
        self.writes.push(write);
    }
}
