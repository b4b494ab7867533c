//! What is left of the past: nothing is deleted too early, and who reads what is left, snapshots
//! and figures, knows what every entry ever said.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use license_core::{Figure, Ledger, Restoration};
use license_pool::log::{Archive, LedgerId, Log, MemoryLog};
use license_types::ServerName;

use super::client::{Doing, Holding, Kind, Request};
use super::orders::Order;
use super::process::Work;
use super::scenario::Clocks;
use super::truth::{History, Truth};
use super::world::{Beat, World, ledger_id};

/// An earlier state of the store, and what it knew.
pub(super) struct Backup {
    store: MemoryLog,
    truth: Truth,
    beats: BTreeMap<ServerName, Beat>,
}

impl World {
    /// Judges what is no more in the log.
    pub(super) fn judge_past(&mut self) -> Result<(), String> {
        let keep = SignedDuration::try_from(self.scenario.keep.history).unwrap_or_default();
        let oldest = match self.scenario.clocks {
            Clocks::True | Clocks::FarFuture | Clocks::Back => {
                // Who starts again may have lost a second.
                self.servers[0].clock.true_instant() - keep + SignedDuration::from_secs(1)
            }
            // Everybody goes by a clock of his own.
            Clocks::Wander | Clocks::Jump => Timestamp::MAX,
        };
        for ledger in 0..self.scenario.ledgers {
            let id = ledger_id(ledger);
            let first = self.store.page(id, 0, 1).map_err(|error| error.to_string())?;
            let Some(history) = self.truth.ledger(id) else { continue };
            let first = first.first().map_or(history.end() + 1, |entry| entry.sequence);
            let deleted = usize::try_from(first - 1).unwrap_or(usize::MAX);
            let Some(last) = deleted.checked_sub(1) else { continue };
            let last = history.entries().get(last).ok_or("more was deleted than there was")?;
            if last.time > oldest {
                return Err(format!("entry {} is deleted, of {}", last.sequence, last.time));
            }
        }
        Ok(())
    }

    /// Judges snapshots, figures and what is left of the log, each against all that there was.
    pub(super) fn judge_what_is_left(&mut self) -> Result<(), String> {
        for ledger in 0..self.scenario.ledgers {
            let id = ledger_id(ledger);
            let Some(history) = self.truth.ledger(id) else { continue };
            let snapshots = snapshots(&mut self.store, id)?;
            // Who was writing one when its store went back leaves one of another log, maybe.
            let is_foreign = |it: &Snapshot| !history.bears(it.restored.head());
            if self.tally.restored == 0 && snapshots.iter().any(is_foreign) {
                return Err("a snapshot is of another log".to_owned());
            }
            let snapshots: Vec<Snapshot> =
                snapshots.into_iter().filter(|it| !is_foreign(it)).collect();
            let (whole, figures) = replay(history, &snapshots)?;
            whole.recount().map_err(|fault| format!("{fault}: {}", fault.breach))?;
            self.tally.snapshots += snapshots.len() as u64;
            let left = self.store.page(id, 0, usize::MAX).map_err(|error| error.to_string())?;
            self.tally.deleted += history.end() - left.len() as u64;
            let always = Timestamp::MIN..Timestamp::MAX;
            let kept = self.store.figures(id, always).map_err(|error| error.to_string())?;
            if kept != figures {
                return Err(format!("the figures are {kept:?}, and should be {figures:?}"));
            }
            // Descriptions may be erased, and nothing else differs.
            let gone = history.entries().len() - left.len();
            for (left, was) in left.iter().zip(&history.entries()[gone..]) {
                if (left.sequence, left.chain) != (was.sequence, was.chain) {
                    return Err(format!("entry {} is another now", was.sequence));
                }
            }
            let from = snapshots.into_iter().next_back().map_or(Ledger::new(), |it| it.restored);
            let (known, mut read) = (from.head().sequence, from);
            for entry in left.iter().filter(|entry| entry.sequence > known) {
                read.replay(entry).map_err(|fault| format!("{fault}: {}", fault.breach))?;
            }
            if read.head() != whole.head() {
                return Err(format!("what is left leads to {:?}", read.head()));
            }
        }
        Ok(())
    }

    /// The store goes back to what it was at the last backup, or a backup is made.
    pub(super) fn restore(&mut self) {
        self.note_beats();
        let Some(Backup { store, truth, beats }) = self.backup.take() else {
            let (truth, beats) = (self.truth.clone(), self.beats.clone());
            self.backup = Some(Backup { store: self.store.backup(), truth, beats });
            return;
        };
        self.store.restore(&store);
        let lost = std::mem::replace(&mut self.truth, truth);
        self.tally.restored += 1;
        self.tell(|| "the store goes back".to_owned());
        let before = std::mem::take(&mut self.beats);
        let shown = self.shown.clone();
        self.note_beats();
        for (name, beat) in &mut self.beats {
            let same = before.get(name).filter(|before| before.shown == beat.shown);
            // Whoever beat since will notice; that others ended its epoch meanwhile, it never learns.
            match shown.get(name) == Some(&beat.shown) {
                true => self.unaware.insert(name.clone()),
                false => self.unaware.remove(name),
            };
            beat.since = same.map_or(beat.since, |before| before.since);
            beat.since_before = beats.get(name).map_or(beat.since, |then| then.since_before);
        }
        for server in 0..self.servers.len() {
            self.servers[server].owed.clear();
            self.servers[server].orders.iter_mut().for_each(Order::forget);
            if let Some(Work::Waits(waiting)) = &mut self.servers[server].work {
                waiting.before = self.truth.ends();
            }
            self.servers[server].line.forget();
            if self.servers[server].part != super::process::Part::Server {
                // What it holds by is a thing of the past, or of no past at all.
                self.kill(server);
            }
        }
        // Nobody can rely on what the store forgot, nor judge what was said of it.
        for place in 0..self.clients.len() {
            self.forget(place, &lost);
            self.plan_act(place, 1_000);
        }
    }

    /// What a client holds that the store tells of, it goes on holding; all else it begins anew.
    fn forget(&mut self, place: usize, lost: &Truth) {
        let (now, restored) = (self.time.now(), self.tally.restored);
        let client = &self.clients[place];
        let history = self.truth.ledger(ledger_id(client.ledger));
        let token = history.and_then(|it| it.holding(&client.session, client.product));
        let relies = client.relies_on(now).is_some_and(|holding| Some(holding.token) == token);
        // Another heard it, of which whoever serves it again knows nothing.
        let server = |truth: &Truth| {
            truth.ledger(ledger_id(client.ledger))?.server(&client.session).cloned()
        };
        let server = [&self.truth, lost].map(server);
        let is_lost = server[0] != server[1]
            && server[0].as_ref().is_some_and(|server| self.unaware.contains(server));
        let client = &mut self.clients[place];
        client.sent += 1;
        client.seat = None;
        if client.doing == Doing::Gone {
            return;
        }
        match (client.kind, token) {
            (Kind::Lease, _) if relies && !is_lost => {
                // A server that starts now believes what was told of a silence that is over. It
                // leaves a third all the same.
                let third = now + client.lease * 1_000 / 3;
                if let Doing::Holding(holding)
                | Doing::Asking(Request { holding: Some(holding), .. }) = &mut client.doing
                {
                    holding.until = holding.until.min(third);
                }
            }
            (Kind::Command, Some(token)) => {
                // Nobody else would ever give back what it holds now.
                let (until, renews) = (u64::MAX, u64::MAX);
                client.doing = Doing::Holding(Holding { token, until, renews, wanted: 0 });
            }
            (Kind::Command, None) => client.doing = Doing::Idle,
            (Kind::Lease | Kind::Seat, _) => {
                // What it asked before must not be taken for what it asks now.
                client.doing = Doing::Idle;
                let session = format!("client-{place}.{restored}");
                client.session = session.parse().expect("a session id");
            }
        }
    }
}

/// A complete snapshot.
struct Snapshot {
    sequence: u64,
    restored: Ledger,
}

/// Every complete snapshot that is kept, the last one last.
fn snapshots(store: &mut MemoryLog, id: LedgerId) -> Result<Vec<Snapshot>, String> {
    let mut snapshots = Vec::new();
    let marks = Archive::snapshots(store, id).map_err(|error| error.to_string())?;
    for mark in marks.iter().rev() {
        let mut restoration = Restoration::new();
        for number in 0..mark.chunks {
            let chunk =
                store.chunk(id, mark.sequence, number).map_err(|error| error.to_string())?;
            let chunk = chunk.ok_or(format!("snapshot {} lacks a chunk", mark.sequence))?;
            restoration.read(&chunk).map_err(|error| error.to_string())?;
        }
        let restored = restoration.finish(mark.digest).map_err(|error| error.to_string())?;
        snapshots.push(Snapshot { sequence: mark.sequence, restored });
    }
    Ok(snapshots)
}

/// What all entries add up to, and the figures of all days that ended; every snapshot says the same
/// at its place.
fn replay(history: &History, snapshots: &[Snapshot]) -> Result<(Ledger, Vec<Figure>), String> {
    let (mut ledger, mut figures) = (Ledger::new(), Vec::new());
    for entry in history.entries() {
        ledger.verify(entry).map_err(|fault| format!("{fault}: {}", fault.breach))?;
        ledger.apply(entry).map_err(|fault| format!("{fault}: {}", fault.breach))?;
        if let Some(void) = entry.void_from() {
            figures =
                figures.into_iter().filter_map(|figure: Figure| figure.before(void)).collect();
        }
        figures.extend(ledger.take_figures());
        for snapshot in snapshots.iter().filter(|it| it.sequence == entry.sequence) {
            let [says, should] = [&snapshot.restored, &ledger].map(Ledger::snapshot);
            if !says.eq(should) {
                return Err(format!("snapshot {} tells another story", entry.sequence));
            }
        }
    }
    Ok((ledger, figures))
}
