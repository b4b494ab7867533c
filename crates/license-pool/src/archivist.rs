//! Keeps logs short, beside the turns: writes snapshots of ledgers that have grown, and deletes what
//! is older than what is kept. It has a handle of the log to itself and does everything in short
//! turns, so that nobody ever waits for it, one after the other: between any two of them the process
//! may end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use license_core::{Digest, Entry, Event, Head, Identity, Snapshot, Whom};
use license_types::SessionId;

use crate::Clock;
use crate::log::{Archive, LedgerId, Log, LogError, Selection, SnapshotMark, Stretch};
use crate::recover::{self, Recovered};

mod archives;

pub(crate) use archives::Archives;

/// So many snapshots of a ledger are kept: should the last be damaged, the one before tells.
const SNAPSHOTS: usize = 2;

/// So many entries are deleted or erased in a turn.
const TURN: usize = 1024;

/// So often it tries to leave nothing of what was deleted and erased.
const WIPES: u32 = 100;

/// So often it looks for what has become too old.
const PERIOD: Duration = Duration::from_secs(60 * 60);

/// On a thread of its own it rests for so many times what a turn took: nobody waits for it, while
/// everybody waits for the disk when it writes, so it takes a tenth of the time at most.
const REST: u32 = 9;

/// What a pool keeps of the past.
#[derive(Clone, Debug)]
pub(crate) struct Keep {
    /// A snapshot is due after so many entries, or as many as are held.
    pub(crate) every: u64,
    /// How long entries are kept; `None` where this pool deletes none.
    pub(crate) history: Option<Duration>,
    /// How long the descriptions of sessions are kept that hold nothing any more; `None` for as
    /// long as their entries.
    pub(crate) identities: Option<Duration>,
}

impl Keep {
    /// How many snapshots of a ledger are kept.
    fn snapshots(&self) -> usize {
        // A snapshot tells of sessions that have long released what they held.
        if self.identities.is_some() { 1 } else { SNAPSHOTS }
    }

    /// Whether a snapshot is due for a ledger whose last one knows everything up to `last`.
    pub(crate) fn is_due(&self, head: Head, held: u64, last: u64) -> bool {
        let grown = head.sequence.saturating_sub(last);
        grown >= self.every && grown >= held
    }
}

/// The time that was believed last, and the time that had passed then: the archivist must not take
/// a clock at its word that nobody believes, or a wrong one would delete a whole history.
pub(crate) type Believed = (Timestamp, Duration);

pub(crate) struct Archivist {
    log: Box<dyn Log>,
    clock: Arc<dyn Clock>,
    keep: Keep,
    believed: Believed,
    /// When to look next for what has become too old, where that is to be done here.
    sweep: Duration,
    /// The ledgers to look at.
    waiting: BTreeMap<LedgerId, Wanted>,
    task: Option<Task>,
}

#[derive(Default)]
struct Wanted {
    /// Whether it gets a snapshot though none is due.
    always: bool,
    /// The ledger as it was a moment ago; it is read where it is not known.
    ledger: Option<Snapshot>,
}

/// What is being done for one ledger.
struct Task {
    id: LedgerId,
    head: Head,
    /// So many snapshots stay.
    snapshots: usize,
    /// The sessions that hold something, where descriptions are erased: theirs stay.
    holders: BTreeSet<Arc<SessionId>>,
    /// Whether anything was deleted or erased that is not to be read any more.
    gone: bool,
    stage: Stage,
}

enum Stage {
    Write {
        snapshot: Box<Snapshot>,
        number: u64,
        /// Of all chunks, once the last of them is written.
        digest: Option<Digest>,
    },
    /// Nothing is deleted before the last snapshot was read back, and is what was written here.
    Verify {
        written: Option<Digest>,
    },
    DiscardSnapshots(Proven),
    DiscardEntries(Proven),
    Erase {
        reached: u64,
    },
    /// Readers may be in the way for a moment.
    Wipe {
        tries: u32,
    },
}

/// The last snapshot, which was read back, and what it is a snapshot of.
struct Proven {
    mark: SnapshotMark,
    head: Head,
}

/// Whether what is old may be deleted.
enum Verdict {
    /// There is nothing to delete.
    Nothing,
    /// This tells what is to go.
    Proven(Proven),
    /// What is kept does not tell it.
    Doubtful,
}

impl Archivist {
    fn new(log: Box<dyn Log>, clock: Arc<dyn Clock>, keep: Keep, believed: Believed) -> Archivist {
        let (sweep, waiting) = (Duration::MAX, BTreeMap::new());
        Archivist { log, clock, keep, believed, sweep, waiting, task: None }
    }

    /// Does everything that there is to do for every ledger.
    pub(crate) fn archive_all(&mut self) -> Result<(), LogError> {
        self.await_all(true)?;
        while self.is_busy() {
            self.step()?;
        }
        Ok(())
    }

    fn await_all(&mut self, always: bool) -> Result<(), LogError> {
        for numbers in self.log.ledgers()? {
            self.waiting.entry(numbers.ledger).or_default().always |= always;
        }
        Ok(())
    }

    /// A snapshot of a ledger is due, at a time that is believed.
    fn told(&mut self, Due { id, ledger, believed }: Due) {
        self.believed = believed;
        self.waiting.entry(id).or_default().ledger = Some(ledger);
    }

    /// Looks for what has become too old, where it is time.
    fn sweep(&mut self) {
        let elapsed = self.clock.elapsed();
        if self.sweep <= elapsed {
            self.sweep = elapsed + PERIOD;
            // What cannot be listed now is looked for the next time. A snapshot tells of sessions that
            // have long released what they held.
            let _ = self.await_all(self.keep.identities.is_some());
        }
    }

    /// When there is something to do again.
    fn due(&self) -> Duration {
        if self.is_busy() { Duration::ZERO } else { self.sweep }
    }

    fn is_busy(&self) -> bool {
        self.task.is_some() || !self.waiting.is_empty()
    }

    /// Does one short turn of what there is to do. What fails is due again with the next entries.
    fn step(&mut self) -> Result<(), LogError> {
        self.task = match self.task.take() {
            Some(task) => self.go_on(task)?,
            None => match self.waiting.pop_first() {
                Some((id, wanted)) => self.begin(id, wanted)?,
                None => None,
            },
        };
        Ok(())
    }

    /// A snapshot is written of a ledger that has changed since its last: always, or only where one
    /// is due and no other process was faster, or where no entry can go that is old since a snapshot
    /// does not know it. A ledger that is broken is left as it is.
    fn begin(&mut self, id: LedgerId, wanted: Wanted) -> Result<Option<Task>, LogError> {
        let marks = recover::marks(&mut *self.log, id)?;
        let [last, first] = [marks.first(), marks.last()].map(|it| it.map_or(0, |it| it.sequence));
        let (oldest, _) = self.old(id, 0, 1, self.keep.history)?;
        let (snapshot, last) = match wanted.ledger {
            Some(snapshot) => (snapshot, last),
            None if !wanted.always && oldest.is_empty() => return Ok(None),
            None => match recover::recover(&mut *self.log, id)? {
                Ok(Recovered { ledger, snapshot: last, .. }) => (ledger.snapshot(), last),
                Err(_fault) => return Ok(None),
            },
        };
        let head = snapshot.head();
        let stays = oldest.first().is_some_and(|oldest| first <= oldest.sequence);
        let is_due = wanted.always || stays || self.keep.is_due(head, snapshot.held_count(), last);
        let snapshots = if stays { 1 } else { self.keep.snapshots() };
        let holders = match self.keep.identities {
            Some(_) => snapshot.sessions().cloned().collect(),
            None => BTreeSet::new(),
        };
        // In a store that went back since, a ledger that was handed over may be none of its own.
        let is_ours = recover::bears(&mut *self.log, id, head)?;
        let stage = if head.sequence > last && is_due && is_ours {
            Stage::Write { snapshot: Box::new(snapshot), number: 0, digest: None }
        } else {
            Stage::Verify { written: None }
        };
        Ok(Some(Task { id, head, snapshots, holders, gone: false, stage }))
    }

    fn go_on(&mut self, task: Task) -> Result<Option<Task>, LogError> {
        let Task { id, head, snapshots, holders, mut gone, stage } = task;
        let next = match stage {
            Stage::Write { mut snapshot, number, digest } => {
                match (snapshot.next(), self.log.archive()) {
                    (Some(chunk), Some(archive)) => {
                        archive.keep(id, head.sequence, number, &chunk)?;
                        Some(Stage::Write { snapshot, number: number + 1, digest: chunk.digest })
                    }
                    (None, Some(_)) => Some(Stage::Verify { written: digest }),
                    (_, None) => None,
                }
            }
            Stage::Verify { written } => match self.verify(id, head, written, snapshots)? {
                Verdict::Nothing => Some(Stage::Erase { reached: 0 }),
                Verdict::Proven(proven) => Some(Stage::DiscardSnapshots(proven)),
                Verdict::Doubtful => None,
            },
            Stage::DiscardSnapshots(proven) => match self.still_proves(id, &proven)? {
                None => None,
                Some(archive) => {
                    let more = archive.discard_snapshots(id, snapshots)?;
                    gone |= self.keep.identities.is_some();
                    Some(match more {
                        true => Stage::DiscardSnapshots(proven),
                        false => Stage::DiscardEntries(proven),
                    })
                }
            },
            Stage::DiscardEntries(proven) => {
                let (old, more) = self.old(id, 0, TURN, self.keep.history)?;
                match (old.last(), self.still_proves(id, &proven)?) {
                    (_, None) => None,
                    (None, Some(_)) => Some(Stage::Erase { reached: 0 }),
                    (Some(last), Some(archive)) => {
                        let discarded = archive.discard_entries(id, last.sequence, TURN)?;
                        gone |= discarded > 0;
                        Some(match more && discarded == old.len() {
                            true => Stage::DiscardEntries(proven),
                            false => Stage::Erase { reached: 0 },
                        })
                    }
                }
            }
            Stage::Erase { reached } => {
                let (erased, reached) = self.erase(id, head, &holders, reached)?;
                gone |= erased;
                match reached {
                    Some(reached) => Some(Stage::Erase { reached }),
                    None if gone => self.wipe(0)?,
                    None => None,
                }
            }
            Stage::Wipe { tries } => self.wipe(tries)?,
        };
        Ok(next.map(|stage| Task { id, head, snapshots, holders, gone, stage }))
    }

    /// Whether what is old may be deleted: where anything is to go for the last snapshot, that must be
    /// whole and of this log. Two processes may have written it at once, each a part, or a store may
    /// have gone back to where it is none of its own.
    fn verify(
        &mut self,
        id: LedgerId,
        head: Head,
        written: Option<Digest>,
        kept: usize,
    ) -> Result<Verdict, LogError> {
        let marks = recover::marks(&mut *self.log, id)?;
        let (Some(last), Some(first)) = (marks.first(), marks.last()) else {
            return Ok(Verdict::Nothing);
        };
        let (oldest, _) = self.old(id, 0, 1, self.keep.history)?;
        let goes = oldest.first().is_some_and(|oldest| oldest.sequence < first.sequence);
        if marks.len() <= kept && !goes {
            return Ok(Verdict::Nothing);
        }
        let is_own = (last.sequence, Some(last.digest)) == (head.sequence, written);
        let proven = if is_own {
            let sound = recover::bears(&mut *self.log, id, head)? && self.is_whole(id, last)?;
            sound.then_some(head)
        } else {
            recover::believed(&mut *self.log, id, last)?.map(|ledger| ledger.head())
        };
        Ok(match proven {
            Some(head) => Verdict::Proven(Proven { mark: last.clone(), head }),
            None => Verdict::Doubtful,
        })
    }

    /// What to delete from, where the last snapshot is still what was proven: between any two turns the
    /// store may go back to where it is another.
    fn still_proves(
        &mut self,
        id: LedgerId,
        Proven { mark, head }: &Proven,
    ) -> Result<Option<&mut dyn Archive>, LogError> {
        let marks = recover::marks(&mut *self.log, id)?;
        let stands = marks.first() == Some(mark) && recover::bears(&mut *self.log, id, *head)?;
        Ok(self.log.archive().filter(|_| stands))
    }

    /// Whether the chunks of a snapshot are those that were written, without reading what they say.
    fn is_whole(&mut self, id: LedgerId, mark: &SnapshotMark) -> Result<bool, LogError> {
        let Some(archive) = self.log.archive() else { return Ok(false) };
        let mut lost = None;
        let mut read = |number| match archive.chunk(id, mark.sequence, number) {
            Ok(chunk) => chunk,
            Err(error) => {
                lost = Some(error);
                None
            }
        };
        let digest = Digest::of_all((0..mark.chunks).map_while(&mut read));
        lost.map_or(Ok(digest == mark.digest), Err)
    }

    /// Erases old descriptions of a stretch of entries, but for those of sessions that hold something;
    /// gives whether there were any, and how far it came, where there are more. Who held something at
    /// `head` is known, and nothing of later: it may have taken long until this is done, or the store
    /// may have gone back.
    fn erase(
        &mut self,
        id: LedgerId,
        head: Head,
        holders: &BTreeSet<Arc<SessionId>>,
        reached: u64,
    ) -> Result<(bool, Option<u64>), LogError> {
        let (old, more) = self.old(id, reached, TURN, self.keep.identities)?;
        if old.is_empty() || !recover::bears(&mut *self.log, id, head)? {
            return Ok((false, None));
        }
        let described = old
            .iter()
            .take_while(|entry| entry.sequence <= head.sequence)
            .filter(|entry| described(entry).is_some_and(|session| !holders.contains(session)));
        let sequences: Vec<u64> = described.map(|entry| entry.sequence).collect();
        if !sequences.is_empty()
            && let Some(archive) = self.log.archive()
        {
            archive.erase(id, &sequences)?;
        }
        let reached = old.last().filter(|_| more).map(|last| last.sequence);
        Ok((!sequences.is_empty(), reached.filter(|reached| *reached < head.sequence)))
    }

    /// Leaves nothing of what was deleted and erased, or has it tried again.
    fn wipe(&mut self, tries: u32) -> Result<Option<Stage>, LogError> {
        let wiped = self.log.archive().map_or(Ok(true), Archive::wipe)?;
        Ok((!wiped && tries < WIPES).then_some(Stage::Wipe { tries: tries + 1 }))
    }

    /// Up to `limit` entries after a sequence, as far as they are older than `age`, and whether there
    /// may be more of them. An entry that bears a later time than now is of a clock that was put right
    /// since: it is as old as the next one that does not.
    fn old(
        &mut self,
        id: LedgerId,
        after: u64,
        limit: usize,
        age: Option<Duration>,
    ) -> Result<(Vec<Entry>, bool), LogError> {
        let Some(age) = age else { return Ok((Vec::new(), false)) };
        let now = self.now();
        let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
        let before = now.checked_sub(age).unwrap_or(Timestamp::MIN);
        let mut page = self.log.page(id, after, limit)?;
        let is_recent = |entry: &Entry| before <= entry.time && entry.time <= now;
        let more = page.len() == limit && !page.iter().any(is_recent);
        page.truncate(page.iter().position(is_recent).unwrap_or(page.len()));
        if let Some(last) = page.last().filter(|last| last.time > now)
            && !(more && self.next(id, last.sequence, now)?.is_some_and(|next| next < before))
        {
            let old = page.iter().rposition(|entry| entry.time < before);
            page.truncate(old.map_or(0, |old| old + 1));
            return Ok((page, false));
        }
        Ok((page, more))
    }

    /// The time of the next entry that bears none later than `now`.
    fn next(
        &mut self,
        id: LedgerId,
        mut after: u64,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, LogError> {
        let wanted = Selection { to: Some(now), ..Selection::default() };
        loop {
            let Stretch { entries, reached, end, .. } =
                self.log.select(id, after, TURN, &wanted)?;
            match entries.first() {
                Some(entry) => return Ok(Some(entry.time)),
                None if reached == end => return Ok(None),
                None => after = reached,
            }
        }
    }

    /// The time that is believed now, as far as the machine's clock does not show an earlier one.
    fn now(&self) -> Timestamp {
        let (then, at) = self.believed;
        let passed = self.clock.elapsed().saturating_sub(at);
        then.saturating_add(passed).unwrap_or(then).min(self.clock.now())
    }

    /// Works off what is told until nobody is left to tell, or it is to stop. In between it rests.
    fn run(mut self, due: &Receiver<Due>, stop: &AtomicBool) {
        let mut rests_until = Instant::now();
        loop {
            self.sweep();
            let now = Instant::now();
            if self.is_busy() && rests_until <= now {
                let _ = self.step();
                rests_until = Instant::now() + now.elapsed() * REST;
            }
            let busy = self.is_busy();
            let rest = rests_until.saturating_duration_since(Instant::now());
            let idle = self.sweep.saturating_sub(self.clock.elapsed());
            match due.recv_timeout(if busy { rest } else { idle.min(PERIOD) }) {
                Ok(told) => self.told(told),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        while self.is_busy() && !stop.load(Ordering::Relaxed) {
            let _ = self.step();
        }
    }
}

/// A ledger of which a snapshot is due.
struct Due {
    id: LedgerId,
    ledger: Snapshot,
    believed: Believed,
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
