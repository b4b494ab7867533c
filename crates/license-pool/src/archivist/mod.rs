//! Keeps logs short: writes snapshots of ledgers that have grown, and deletes what is older than is to
//! be kept. It works beside the writer, with a log handle of its own, one ledger at a time and in many
//! short steps, so that nobody waits for it. The process may end between any two steps.
//!
//! For each ledger it goes through the [`Stage`]s in order: write a snapshot, if one is due; verify
//! the last one; then delete older snapshots, then the entries that every snapshot covers; erase
//! descriptions of sessions; and wipe the store's files of what was deleted. Nothing is deleted before
//! the last snapshot was read back, and every step that deletes checks first that it is still the
//! proven one, since the store may go back in time between any two steps.

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

/// How many snapshots of a ledger are kept: should the last be damaged, there is the one before.
const SNAPSHOTS: usize = 2;

/// How many entries are deleted or erased in one step.
const TURN: usize = 1024;

/// How many times it tries to wipe what was deleted and erased.
const WIPES: u32 = 100;

/// How often it looks for what has become too old.
const PERIOD: Duration = Duration::from_secs(60 * 60);

/// After a step, its thread rests for so many times as long as that took. So it takes a tenth of the
/// time at most: nobody waits for it, but while it writes everybody waits for the disk.
const REST: u32 = 9;

/// What a pool keeps of the past.
#[derive(Clone, Debug)]
pub(crate) struct Keep {
    /// A snapshot is due after so many entries, but not before as many as there are retentions.
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
        // An older snapshot would still describe sessions that have long released everything.
        if self.identities.is_some() { 1 } else { SNAPSHOTS }
    }

    /// Whether a snapshot is due for a ledger with `held` retentions, whose last one covers the entries
    /// up to `last`.
    pub(crate) fn is_due(&self, head: Head, held: u64, last: u64) -> bool {
        let grown = head.sequence.saturating_sub(last);
        grown >= self.every && grown >= held
    }
}

/// The time that was last believed, and the elapsed time then. The archivist must not trust a clock
/// that the pool does not believe: a wrong one would delete a whole history.
pub(crate) type Believed = (Timestamp, Duration);

pub(crate) struct Archivist {
    log: Box<dyn Log>,
    clock: Arc<dyn Clock>,
    keep: Keep,
    believed: Believed,
    /// When to look next for what has become too old; never if this pool deletes nothing.
    sweep: Duration,
    /// The ledgers to look at.
    waiting: BTreeMap<LedgerId, Wanted>,
    task: Option<Task>,
}

#[derive(Default)]
struct Wanted {
    /// Whether it gets a snapshot even if none is due.
    always: bool,
    /// The ledger as it was a moment ago; if absent, it is read.
    ledger: Option<Snapshot>,
}

/// What is being done for one ledger.
struct Task {
    id: LedgerId,
    head: Head,
    /// How many snapshots stay.
    snapshots: usize,
    /// The sessions that hold something: their descriptions are not erased.
    holders: BTreeSet<Arc<SessionId>>,
    /// Whether anything was deleted or erased, so that the files are to be wiped.
    gone: bool,
    stage: Stage,
}

enum Stage {
    Write {
        snapshot: Box<Snapshot>,
        number: u64,
        /// The digest of all chunks, once the last of them is written.
        digest: Option<Digest>,
    },
    /// Reads the last snapshot back, and compares it with what was written here.
    Verify {
        written: Option<Digest>,
    },
    DiscardSnapshots(Proven),
    DiscardEntries(Proven),
    Erase {
        reached: u64,
    },
    /// Tried again while readers are in the way.
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
    /// What this snapshot covers may be deleted.
    Proven(Proven),
    /// The last snapshot is not to be trusted, so nothing may be deleted.
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

    /// Has every ledger looked at.
    fn await_all(&mut self, always: bool) -> Result<(), LogError> {
        for numbers in self.log.ledgers()? {
            self.waiting.entry(numbers.ledger).or_default().always |= always;
        }
        Ok(())
    }

    /// Takes in that a snapshot of a ledger is due.
    fn told(&mut self, Due { id, ledger, believed }: Due) {
        self.believed = believed;
        self.waiting.entry(id).or_default().ledger = Some(ledger);
    }

    /// Looks for what has become too old, where it is time.
    fn sweep(&mut self) {
        let elapsed = self.clock.elapsed();
        if self.sweep <= elapsed {
            self.sweep = elapsed + PERIOD;
            // If the ledgers cannot be listed now, they are the next time. Where descriptions are
            // erased, each gets a new snapshot, since old ones still have them.
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

    /// Does one short step. A ledger whose step fails is dropped; it is due again when it grows.
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

    /// Decides where to begin with a ledger. A snapshot is written if the ledger has changed since the
    /// last one, and if it is wanted always, or is due and no other process was faster, or if old
    /// entries can go only once a newer snapshot covers them. A faulted ledger is left as it is.
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
        // If the store went back in time meanwhile, the ledger that was handed over is not its own.
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

    /// Whether what is old may be deleted. If anything is to go, the last snapshot must be whole and of
    /// this log: two processes may have written a part of it each, or the store may have gone back to
    /// before it.
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

    /// The archive to delete from, if the last snapshot is still the one that was proven: the store may
    /// go back in time between any two steps.
    fn still_proves(
        &mut self,
        id: LedgerId,
        Proven { mark, head }: &Proven,
    ) -> Result<Option<&mut dyn Archive>, LogError> {
        let marks = recover::marks(&mut *self.log, id)?;
        let stands = marks.first() == Some(mark) && recover::bears(&mut *self.log, id, *head)?;
        Ok(self.log.archive().filter(|_| stands))
    }

    /// Whether the chunks of a snapshot are those that were written, by their digest alone.
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

    /// Erases old descriptions in a stretch of entries after `reached`, but for those of sessions that
    /// hold something. Gives whether there were any, and how far it came if there is more.
    ///
    /// It goes no further than `head`: who held something then is known, and nothing of later.
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

    /// Wipes the store's files of what was deleted and erased, or has it tried again.
    fn wipe(&mut self, tries: u32) -> Result<Option<Stage>, LogError> {
        let wiped = self.log.archive().map_or(Ok(true), Archive::wipe)?;
        Ok((!wiped && tries < WIPES).then_some(Stage::Wipe { tries: tries + 1 }))
    }

    /// Up to `limit` entries after a sequence, as far as they are older than `age`, and whether there
    /// may be more. An entry with a time later than now was made by a clock that was put right since:
    /// it counts as old as the next entry with a credible time.
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

    /// The time of the next entry whose time is not later than `now`.
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

    /// The time now: as it was believed last, plus what elapsed since; or the machine's, if earlier.
    fn now(&self) -> Timestamp {
        let (then, at) = self.believed;
        let passed = self.clock.elapsed().saturating_sub(at);
        then.saturating_add(passed).unwrap_or(then).min(self.clock.now())
    }

    /// Works until nobody is left to tell of ledgers, then until all is done or it is to `stop`.
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
