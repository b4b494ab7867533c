//! The writer: serves the requests of all callers, one batch after the other. What a batch wants to
//! write becomes one turn and one durable commit, and only then is anybody answered.
//!
//! Of a batch, writes go first, then renewals, then reads, so that a read sees what was written
//! before it. Some requests cannot share a turn with what came before them, as an installation or a
//! look into the log itself; then what was gathered so far is [flushed](Writer::flush) first.
//!
//! Between two batches the writer does what is due though nobody asks: see `upkeep` (beats, leases,
//! the dead), `polling` (who waits for others to write), `undecided` and `turn::refusals`.

use std::collections::{BTreeMap, BTreeSet, VecDeque, btree_map};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use license_core::{Command, Held};
use license_types::{SessionId, Token};

use crate::Error;
use crate::leases::Leases;
use crate::log::LedgerId;
use crate::request::{
    Done, Granted, Kept, Read, Received, Renewal, Reply, Request, SeatId, Watch, Write,
};
use crate::turn::commands::Written;
use crate::turn::renewals::Heard;
use crate::turn::{DECIDED_MAX, Role, Turned, Turns, VouchedTime};

pub(crate) mod lanes;
mod polling;
mod queue;
pub(crate) mod undecided;
pub(crate) mod upkeep;
pub(crate) mod watcher;

use lanes::Router;
use queue::Queue;
use undecided::Undecided;
use upkeep::{Upkeep, estrange_come};

/// How long to wait before releases of dropped seats, and turns of unknown outcome, are tried again.
const RETRY: Duration = Duration::from_millis(100);

pub(crate) struct Writer {
    pub(crate) turns: Turns,
    pub(crate) leases: Leases,
    pub(crate) upkeep: Upkeep,
    /// The way to all writers, if this is one of several.
    pub(crate) router: Option<Arc<Router>>,
    /// How many seats stand for each retention, which is released when the last of them is dropped.
    /// With its session, since a store that went back in time may give the same token to another.
    pub(crate) seats: BTreeMap<(LedgerId, Token), (Arc<SessionId>, u64)>,
    /// Releases of dropped seats that are still to be made.
    unreleased: Vec<Write>,
    /// Turns of which nobody knows whether they were made.
    pub(crate) undecided: Vec<Undecided>,
    /// How long their callers wait before they are told that the outcome is unknown.
    patience: Duration,
    /// When to try `unreleased` and `undecided` again.
    retry_at: Duration,
    pub(crate) queue: Queue,
    pub(crate) watches: Vec<Watch>,
    /// When to poll the store for changes next.
    pub(crate) poll_at: Duration,
    /// Who waits for the end.
    closing: Vec<Box<dyn FnOnce() + Send>>,
}

impl Writer {
    pub(crate) fn new(
        turns: Turns,
        router: Option<Arc<Router>>,
        sleep: Duration,
        patience: Duration,
    ) -> Writer {
        Writer {
            leases: Leases::new(sleep),
            upkeep: Upkeep::new(turns.actor.role),
            turns,
            router,
            seats: BTreeMap::new(),
            unreleased: Vec::new(),
            undecided: Vec::new(),
            patience,
            retry_at: Duration::ZERO,
            queue: Queue::default(),
            watches: Vec::new(),
            poll_at: Duration::ZERO,
            closing: Vec::new(),
        }
    }

    /// The elapsed time at which to serve again, even if nobody asks anything.
    pub(crate) fn due(&self) -> Duration {
        let waits = !self.unreleased.is_empty() || !self.undecided.is_empty();
        let retry = if waits { self.retry_at } else { Duration::MAX };
        let refusals = self.turns.refusals.due().unwrap_or(Duration::MAX);
        let archive = self.turns.archive_due();
        retry.min(self.upkeep_due()).min(self.poll_due()).min(refusals).min(archive)
    }

    /// Whether the pool is to end.
    pub(crate) fn is_closing(&self) -> bool {
        !self.closing.is_empty()
    }

    /// Ends this writer, when nothing waits any more. `others` ends the other writers. Both say
    /// whether everything ended that the server vouched for; only then may it leave the register.
    pub(crate) fn close(&mut self, others: impl FnOnce(&mut Writer) -> bool) -> bool {
        self.give_up_undecided();
        self.dismiss();
        let others_ended = others(self);
        let ended = self.end_leases().is_ok() && self.turns.take_off().is_ok() && others_ended;
        if ended {
            self.turns.leave();
        }
        if self.turns.actor.share.is_first() {
            self.turns.bell.end();
        }
        for closed in self.closing.drain(..) {
            closed();
        }
        ended
    }

    /// Has the other writers end, each in its own thread, if this is the first.
    pub(crate) fn end_others(&mut self) -> bool {
        let router = self.router.take().filter(|_| self.turns.actor.share.is_first());
        router.is_none_or(|router| router.end_others())
    }

    /// Serves what waits, and what is due.
    pub(crate) fn serve(&mut self, batch: Vec<Request>) {
        if batch.iter().any(Request::is_heard)
            && self.turns.must_show()
            && let Err(error) = self.register()
        {
            self.turns.mute(error);
        }
        self.decide_undecided();
        self.turns.refusals.owe(self.queue.lapsed(self.turns.elapsed()));
        let mut waiting = Waiting { writes: mem::take(&mut self.unreleased), ..Waiting::default() };
        let mut located = self.locate(batch.iter());
        let mut batch: VecDeque<Request> = batch.into();
        while let Some(request) = batch.pop_front() {
            let Some(request) = self.hand_on(request) else { continue };
            match request {
                Request::Write(write) => self.admit(write, &located, &mut waiting),
                Request::Read(read) => waiting.reads.push(read),
                Request::Renew(renewal) => waiting.renewals.push(renewal),
                Request::Log { run, .. } => {
                    // It must find what was written before it.
                    if !waiting.writes.is_empty() {
                        self.flush(mem::take(&mut waiting));
                    }
                    run(&mut *self.turns.log);
                }
                Request::Archivist(take) => take(self.turns.archivist()),
                Request::SeatDropped(seat) => {
                    // A retain of the same session that waits may make another seat of the retention:
                    // only afterwards is it known whether this one was the last.
                    if waiting.retains(&seat.session) {
                        self.flush(mem::take(&mut waiting));
                    }
                    waiting.writes.extend(self.dropped(seat));
                }
                Request::Install(installation) => {
                    self.flush(mem::take(&mut waiting));
                    self.turns.install(installation);
                    located = self.locate_again(batch.iter());
                }
                Request::Uninstall(uninstallation) => {
                    self.flush(mem::take(&mut waiting));
                    self.turns.uninstall(uninstallation);
                    located = self.locate_again(batch.iter());
                }
                Request::Watch(watch) => {
                    self.turns.stirred = true;
                    self.watches.push(watch);
                }
                Request::Aside(act) => act(self),
                Request::Close(closed) => self.closing.push(closed),
            }
        }
        self.flush(waiting);
        self.retry_at = self.turns.elapsed() + RETRY;
        self.turns.tell_refusals(false);
        self.keep_up();
        self.poll();
        self.turns.archive_some();
    }

    /// Adds a command to what waits for the next turn, or to the line if it is to wait for a license.
    fn admit(&mut self, mut write: Write, located: &Result<(), Error>, waiting: &mut Waiting) {
        if let Command::Retain(retain) = &mut write.command
            && !self.judges()
        {
            retain.lease_seconds = None;
        }
        match (write.wait, located) {
            // Another writer may serve the license, and only that one has the line for it.
            (Some(_), Err(error)) if !self.is_located(&write.license) => {
                self.answer(write, Err(error.clone()));
            }
            (Some(wait), _) => {
                let elapsed = self.turns.elapsed();
                self.queue.join(write, wait, elapsed);
            }
            (None, _) => waiting.write(write),
        }
    }

    /// Serves what was gathered: takes its turn, and answers.
    fn flush(&mut self, Waiting { writes, renewals, reads, retains, .. }: Waiting) {
        let elapsed = self.turns.elapsed();
        if !writes.is_empty() || self.queue.presses(elapsed) {
            if retains || !self.queue.is_empty() {
                self.look();
            }
            self.write(writes);
        }
        if !renewals.is_empty() {
            self.renew(renewals);
        }
        if !reads.is_empty() {
            self.turns.read(reads);
        }
    }

    /// Takes a turn for commands, and for those who wait in line.
    pub(crate) fn write(&mut self, mut writes: Vec<Write>) {
        let elapsed = self.turns.elapsed();
        let mut decided = 0;
        let (error, ends) = loop {
            decided += 1;
            let waiters: Vec<_> = self
                .queue
                .waiters()
                .iter()
                .map(|waiter| (&waiter.write, waiter.attempt(elapsed)))
                .collect();
            let turned = self.turns.write(&mut writes, &waiters);
            estrange_come(&mut self.turns, &mut self.leases);
            self.note_only();
            let error = match turned {
                Ok(Turned::Made(mut written)) => {
                    let waited = mem::take(&mut written.waited);
                    let waited = self.queue.answered(waited, elapsed);
                    self.made(writes, written, waited);
                    return;
                }
                Ok(Turned::NotMade(written, error)) => {
                    undecided::keep_to_what_was_decided(&mut writes, &written.outcomes);
                    if decided < DECIDED_MAX {
                        continue;
                    }
                    Error::store(error)
                }
                // Those in line go on waiting. The next attempt tells them: whoever was granted the
                // license holds it then.
                Ok(Turned::Unknown(unknown)) => {
                    self.queue.doubt();
                    let until = elapsed + self.patience;
                    self.undecided.push(Undecided { writes, unknown, until });
                    return;
                }
                Err(error) => error,
            };
            let ends = waiters.iter().map(|(_, attempt)| {
                (!attempt.stage.goes_on() || !error.is_transient())
                    .then(|| Err(error.clone()).into())
            });
            let ends = ends.collect();
            break (error, ends);
        };
        for (write, outcome) in self.queue.answered(ends, elapsed) {
            self.answer(write, outcome);
        }
        self.fail(writes, &error);
    }

    /// Answers the commands of a turn that is durable, and those who `waited` in line and are done.
    pub(crate) fn made(
        &mut self,
        writes: Vec<Write>,
        mut written: Written,
        mut waited: Vec<(Write, Result<Done, Error>)>,
    ) {
        let waited_outcomes = waited.iter_mut().map(|(_, outcome)| outcome);
        for done in written.outcomes.iter_mut().chain(waited_outcomes).flatten() {
            self.note(done);
        }
        let told = self.tell_broken_silences();
        for (write, outcome) in writes.into_iter().zip(written.outcomes).chain(waited) {
            let repeats = |done: &Done| done.granted.as_ref().is_some_and(|it| !it.new);
            let outcome = match (outcome, &told) {
                // It may have been granted in an earlier turn whose outcome was unknown.
                (Ok(done), Err(error)) if repeats(&done) && write.wait.is_some() => {
                    Err(error.clone().in_doubt())
                }
                (Ok(done), Err(error)) if repeats(&done) => Err(error.clone()),
                (outcome, _) => outcome,
            };
            if outcome.is_ok() {
                self.queue.granted(&write);
            }
            self.answer(write, outcome);
        }
        if !written.adopted.is_empty() {
            self.take_over(written.adopted, Duration::ZERO);
        }
    }

    /// Answers all of them with this error.
    pub(crate) fn fail(&mut self, writes: Vec<Write>, error: &Error) {
        for write in writes {
            self.answer(write, Err(error.clone()));
        }
    }

    /// Renews, and answers.
    fn renew(&mut self, renewals: Vec<Renewal>) {
        let outcomes = self.turns.renew(&renewals);
        estrange_come(&mut self.turns, &mut self.leases);
        self.note_only();
        let now = self.turns.vouched();
        let mut replies = Vec::with_capacity(renewals.len());
        for (Renewal { renews, reply, .. }, outcomes) in renewals.into_iter().zip(outcomes) {
            let kept =
                |outcome: Result<Heard, Error>| outcome.map(|heard| self.hear(heard, renews, now));
            let outcomes: Vec<_> = outcomes.into_iter().map(kept).collect();
            replies.push((reply, outcomes));
        }
        let told = self.tell_broken_silences();
        for (reply, outcomes) in replies {
            reply(match &told {
                Ok(()) => outcomes,
                Err(error) => outcomes.into_iter().map(|it| it.and(Err(error.clone()))).collect(),
            });
        }
    }

    /// Gives what a session holds, and until when. Notes that it was heard, if it `renews`.
    fn hear(&mut self, heard: Heard, renews: bool, now: VouchedTime) -> Vec<Kept> {
        let Heard { ledger, held, time, came } = heard;
        if renews && self.judges() {
            if came {
                self.leases.came(ledger, &held, now);
            } else {
                self.leases.heard(ledger, &held, now);
            }
        }
        let keep = |held| {
            let left = self.leases.left(ledger, &held, now).or_else(|| self.leases.whole(&held));
            Kept { until: left.and_then(|left| time.checked_add(left).ok()), held }
        };
        held.into_iter().map(keep).collect()
    }

    /// Whether this pool judges the leases of what it serves. A one-shot command does not: it is gone
    /// before any renewal.
    fn judges(&self) -> bool {
        self.turns.actor.role != Role::Local
    }

    /// Answers one command, and counts the seat that its caller got.
    pub(crate) fn answer(&mut self, write: Write, outcome: Result<Done, Error>) {
        match write.reply {
            Reply::Answered => {}
            Reply::Nobody => {
                if outcome.is_err_and(|error| error.is_transient()) {
                    self.unreleased.push(Write { reply: Reply::Nobody, ..write });
                }
            }
            Reply::Client(sender) => {
                let granted = outcome.and_then(|done| done.granted.ok_or(Error::Internal(None)));
                drop(sender.send(granted));
            }
            Reply::Caller { answer, .. } => {
                let granted = outcome.as_ref().ok().and_then(|done| done.granted.as_ref());
                let granted = granted.map(|granted| (granted.seat.clone(), granted.new));
                match (answer(outcome), granted) {
                    (Received::Seat, Some((seat, _))) => {
                        let seats = self.seats.entry((seat.ledger, seat.token));
                        let seats = seats.or_insert_with(|| (seat.session.clone(), 0));
                        if seats.0 != seat.session {
                            *seats = (seat.session.clone(), 0);
                        }
                        seats.1 += 1;
                    }
                    (Received::Lost, Some((seat, true))) => {
                        self.unreleased.push(seat.release(Reply::Nobody));
                    }
                    (Received::Lost, Some((_, false))) | (Received::Plain, Some(_)) | (_, None) => {
                    }
                }
            }
        }
    }

    /// Notes what a command did to seats and leases.
    fn note(&mut self, done: &mut Done) {
        for released in &done.released {
            self.seats.remove(&(done.ledger, released.token));
        }
        for session in &done.gone {
            // A turn whose outcome was unknown may be answered after the session retained anew.
            let ledger = self.turns.ledgers.sound(done.ledger);
            if ledger.is_none_or(|ledger| ledger.held(session).next().is_none()) {
                self.leases.forget(&(done.ledger, session.clone()));
            }
        }
        if let Some(Granted { kept, new, .. }) = &mut done.granted {
            if self.judges() {
                let (now, id) = (self.turns.vouched(), done.ledger);
                let ledger = self.turns.ledgers.sound(id);
                let session = ledger.map(|ledger| ledger.held(&kept.held.record.session));
                // A session that comes from another server brings everything that it holds.
                let held: Vec<Held> = session.into_iter().flatten().collect();
                let key = (id, kept.held.record.session.clone());
                if self.leases.knows(&key) || *new && held.len() <= 1 {
                    self.leases.heard(id, std::slice::from_ref(&kept.held), now);
                } else {
                    self.leases.came(id, &held, now);
                }
            }
            let whole = self.leases.whole(&kept.held);
            kept.until = whole.and_then(|whole| done.time.checked_add(whole).ok());
        }
    }

    /// The release to make for a dropped seat: none while other seats stand for the retention, or if
    /// that has ended.
    fn dropped(&mut self, seat: SeatId) -> Option<Write> {
        let btree_map::Entry::Occupied(mut seats) = self.seats.entry((seat.ledger, seat.token))
        else {
            return None;
        };
        let (session, count) = seats.get_mut();
        if *session != seat.session {
            return None;
        }
        *count -= 1;
        if *count > 0 {
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
    renewals: Vec<Renewal>,
    reads: Vec<Read>,
    /// Whether some of them ask for a license.
    retains: bool,
    /// The sessions that do, and how many of the writes were looked at for that: most batches never
    /// need to know, so it is found out when it is asked.
    retaining: (BTreeSet<Arc<SessionId>>, usize),
}

impl Waiting {
    fn write(&mut self, write: Write) {
        self.retains |= matches!(write.command, Command::Retain(_));
        self.writes.push(write);
    }

    /// Whether a session asks for a license.
    fn retains(&mut self, session: &SessionId) -> bool {
        let (retaining, looked) = &mut self.retaining;
        for write in &self.writes[*looked..] {
            if let Command::Retain(retain) = &write.command {
                retaining.insert(retain.session.clone());
            }
        }
        *looked = self.writes.len();
        retaining.contains(session)
    }
}
