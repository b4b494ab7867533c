//! Keeps logs short, beside the turns: writes snapshots of ledgers that have grown, and deletes what
//! is older than what is kept. It has a handle of the log to itself and does everything in short
//! turns, so that nobody ever waits for it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use license_core::{Entry, Event, Identity, Ledger, Whom};
use license_types::{EventKind, SessionId};

use crate::Clock;
use crate::log::{LedgerId, Log, LogError, OpenError, Selection};
use crate::recover::{self, Recovered};

/// So many snapshots of a ledger are kept: should the last be damaged, the one before tells.
const SNAPSHOTS: usize = 2;

/// So many entries are deleted or erased in a turn.
const TURN: usize = 1024;

/// So often it looks for descriptions that have become too old.
const PERIOD: Duration = Duration::from_secs(60 * 60);

/// What a pool keeps of the past.
#[derive(Clone, Debug)]
pub(crate) struct Keep {
    /// A snapshot is due after so many entries, or as many as are held.
    pub(crate) every: u64,
    pub(crate) history: Duration,
    /// How long the descriptions of sessions are kept that hold nothing any more; `None` for as
    /// long as their entries.
    pub(crate) identities: Option<Duration>,
}

impl Keep {
    /// Whether a snapshot is due for a ledger whose last one knows everything up to `snapshot`.
    pub(crate) fn is_due(&self, ledger: &Ledger, snapshot: u64) -> bool {
        let grown = ledger.head().sequence.saturating_sub(snapshot);
        grown >= self.every && grown >= ledger.held_count()
    }
}

pub(crate) struct Archivist {
    log: Box<dyn Log>,
    clock: Arc<dyn Clock>,
    keep: Keep,
    stop: Arc<AtomicBool>,
}

impl Archivist {
    pub(crate) fn new(log: Box<dyn Log>, clock: Arc<dyn Clock>, keep: Keep) -> Archivist {
        Archivist { log, clock, keep, stop: Arc::new(AtomicBool::new(false)) }
    }

    /// Does everything that there is to do for every ledger.
    pub(crate) fn archive_all(&mut self) -> Result<(), LogError> {
        let ledgers = self.log.ledgers()?;
        ledgers.into_iter().try_for_each(|numbers| self.archive(numbers.ledger, false))
    }

    /// Writes a snapshot of a ledger that has changed since the last, or only where one is due, and
    /// deletes what is old. A ledger that is broken is left as it is.
    fn archive(&mut self, id: LedgerId, only_due: bool) -> Result<(), LogError> {
        if self.stopped() {
            return Ok(());
        }
        let Ok(Recovered { ledger, snapshot }) = recover::recover(&mut *self.log, id)? else {
            return Ok(());
        };
        let changed = ledger.head().sequence > snapshot;
        if changed && (!only_due || self.keep.is_due(&ledger, snapshot)) {
            self.write(id, &ledger)?;
        }
        self.forget(id)?;
        self.erase(id, &ledger)
    }

    fn write(&mut self, id: LedgerId, ledger: &Ledger) -> Result<(), LogError> {
        let sequence = ledger.head().sequence;
        for (number, chunk) in (0..).zip(ledger.snapshot()) {
            if self.stopped() {
                return Ok(());
            }
            let Some(archive) = self.log.archive() else { return Ok(()) };
            archive.keep(id, sequence, number, &chunk)?;
        }
        Ok(())
    }

    /// Deletes old snapshots and entries.
    fn forget(&mut self, id: LedgerId) -> Result<(), LogError> {
        // A snapshot tells of sessions that have long released what they held.
        let kept = if self.keep.identities.is_some() { 1 } else { SNAPSHOTS };
        let before = self.ago(self.keep.history);
        let mut more = true;
        while more && !self.stopped() {
            let Some(archive) = self.log.archive() else { return Ok(()) };
            more = archive.discard_snapshots(id, kept)?;
        }
        more = true;
        while more && !self.stopped() {
            let Some(archive) = self.log.archive() else { return Ok(()) };
            more = archive.discard_entries(id, before, TURN)? == TURN;
        }
        Ok(())
    }

    /// Erases old descriptions, but for those of sessions that hold something.
    fn erase(&mut self, id: LedgerId, ledger: &Ledger) -> Result<(), LogError> {
        let Some(identities) = self.keep.identities else { return Ok(()) };
        let before = self.ago(identities);
        let kinds = vec![EventKind::Retained, EventKind::Refused, EventKind::Described];
        let wanted = Selection { to: Some(before), kinds, ..Selection::default() };
        let mut reached = 0;
        while !self.stopped() {
            let stretch = self.log.select(id, reached, TURN, &wanted)?;
            let held = |session: &SessionId| ledger.held(session).next().is_some();
            let described = stretch
                .entries
                .iter()
                .filter(|entry| described(entry).is_some_and(|session| !held(session)));
            let sequences: Vec<u64> = described.map(|entry| entry.sequence).collect();
            if !sequences.is_empty()
                && let Some(archive) = self.log.archive()
            {
                archive.erase(id, &sequences)?;
            }
            reached = stretch.reached;
            let next = self.log.page(id, reached, 1)?;
            if next.first().is_none_or(|entry| entry.time >= before) {
                break;
            }
        }
        Ok(())
    }

    fn ago(&self, age: Duration) -> Timestamp {
        let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
        self.clock.now().checked_sub(age).unwrap_or(Timestamp::MIN)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Works off what is told until nobody is left to tell. What fails is due again with the next
    /// entries.
    fn run(mut self, due: &Receiver<LedgerId>) {
        loop {
            if self.keep.identities.is_some() {
                let _ = self.archive_all();
            }
            match due.recv_timeout(PERIOD) {
                Ok(first) => {
                    let all: BTreeSet<_> = [first].into_iter().chain(due.try_iter()).collect();
                    for id in all {
                        let _ = self.archive(id, true);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

/// The session that an entry describes, unless its description was erased.
fn described(entry: &Entry) -> Option<&SessionId> {
    let (session, identity) = match &entry.event {
        Event::Retained(retained) => (&retained.session, &retained.identity),
        Event::Described { session, identity } => (session, identity),
        Event::Refused(refused) => match &refused.whom {
            Whom::Session { session, identity, .. } => (session, identity),
            Whom::Others { .. } => return None,
        },
        Event::Installed(_)
        | Event::Uninstalled { .. }
        | Event::Released(_)
        | Event::StateChanged { .. }
        | Event::Moved { .. }
        | Event::Adopted { .. }
        | Event::ClockCorrected => return None,
    };
    matches!(identity, Identity::Kept(_)).then_some(session)
}

/// The archivist of a pool, on a thread of its own from the first time that it is needed.
pub(crate) struct Archives {
    clock: Arc<dyn Clock>,
    keep: Keep,
    /// Whether it may have a thread.
    threaded: bool,
    worker: Option<Worker>,
}

struct Worker {
    due: Sender<LedgerId>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Archives {
    pub(crate) fn new(clock: Arc<dyn Clock>, keep: Keep, threaded: bool) -> Archives {
        Archives { clock, keep, threaded, worker: None }
    }

    pub(crate) fn keep(&self) -> &Keep {
        &self.keep
    }

    /// An archivist for somebody else's thread; none where the log has no second handle.
    pub(crate) fn archivist(&self, log: &dyn Log) -> Result<Option<Archivist>, OpenError> {
        let log = log.another()?;
        Ok(log.map(|log| Archivist::new(log, self.clock.clone(), self.keep.clone())))
    }

    /// Has a ledger archived some time soon.
    pub(crate) fn tell(&mut self, log: &dyn Log, id: LedgerId) {
        if self.worker.is_none() && self.threaded {
            self.worker = self.archivist(log).ok().flatten().and_then(Worker::start);
        }
        if let Some(worker) = &self.worker {
            // One that panicked is not missed: the log only stays longer than it need be.
            let _ = worker.due.send(id);
        }
    }

    /// Begins to look after what becomes too old.
    pub(crate) fn begin(&mut self, log: &dyn Log) {
        if self.keep.identities.is_some() && self.threaded {
            self.worker = self.archivist(log).ok().flatten().and_then(Worker::start);
        }
    }

    /// Ends, once what was told is done or left for another time.
    pub(crate) fn end(&mut self, in_a_hurry: bool) {
        if let Some(Worker { due, stop, thread }) = self.worker.take() {
            stop.store(in_a_hurry, Ordering::Relaxed);
            drop(due);
            let _ = thread.join();
        }
    }
}

impl Worker {
    fn start(archivist: Archivist) -> Option<Worker> {
        let (due, told) = channel();
        let stop = archivist.stop.clone();
        let thread = thread::Builder::new()
            .name("license-archive".to_owned())
            .spawn(move || archivist.run(&told))
            .ok()?;
        Some(Worker { due, stop, thread })
    }
}
