//! What a pool does though nobody asks: it shows that it lives, ends leases that ran out, and takes
//! over what the dead served.

use std::collections::{BTreeSet, VecDeque};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use license_core::Held;
use license_types::{ReleaseCause, ServerName};

use crate::leases::{Key, Leases};
use crate::log::{LedgerId, ServerRow, Silence};
use crate::takeover::Estate;
use crate::turn::{Role, Turns, distinct};
use crate::watcher::{Dead, Watcher};
use crate::writer::Writer;
use crate::{ClockState, Error, LOCAL};

/// How long to wait before something that the store did not take is tried again.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// So often the register is looked at for the dead, where it shows at once who died.
const LOOK: Duration = Duration::from_secs(1);

/// So many ledgers are loaded or change hands in one step: others wait meanwhile.
const LEDGERS_MAX: usize = 16;

/// So many sessions are looked at in one turn.
const SESSIONS_MAX: usize = 512;

/// What is due when.
pub(crate) struct Upkeep {
    pub(crate) watcher: Watcher,
    /// When to beat next.
    beat: Duration,
    /// When the register was looked at last.
    looked: Option<Duration>,
    /// Whether an epoch has begun: its first beat was made.
    begun: bool,
    /// Whether the store was asked in which ledgers this name served sessions before.
    asked: bool,
    /// Whether it is to be asked because the store went back in time.
    went_back: bool,
    /// The ledgers with sessions that this server serves and does not vouch for yet, and how long
    /// those may have been silent before.
    loading: VecDeque<(LedgerId, Duration)>,
    /// Those of them of which no silence that was told is true any more.
    anew: BTreeSet<LedgerId>,
    dead: VecDeque<Dead>,
    /// When to go on with what the store did not take.
    again: Duration,
}

impl Upkeep {
    pub(crate) fn new(role: Role) -> Upkeep {
        Upkeep {
            watcher: Watcher::default(),
            beat: if role == Role::Local { Duration::MAX } else { Duration::ZERO },
            looked: None,
            begun: false,
            // A name that nobody had before served nothing.
            asked: matches!(role, Role::Local | Role::Transient),
            went_back: false,
            loading: VecDeque::new(),
            anew: BTreeSet::new(),
            dead: VecDeque::new(),
            again: Duration::ZERO,
        }
    }

    /// Has the sessions that this server serves in these ledgers vouched for soon; they may have been
    /// silent for `before` already.
    fn load(&mut self, ledgers: impl IntoIterator<Item = LedgerId>, before: Duration) {
        self.loading.extend(ledgers.into_iter().map(|id| (id, before)));
    }
}

impl Writer {
    /// Does what is due.
    pub(crate) fn keep_up(&mut self) {
        let now = self.turns.vouched();
        if self.turns.is_back() {
            self.leases.begin_afresh(now);
        }
        if self.turns.is_fenced() {
            self.leases.clear();
            return;
        }
        if self.turns.ledgers.is_crowded() {
            // Those stay in memory of which the store is yet to say so; what it does not take now, it
            // says for longer.
            let _ = self.turns.take_off();
        }
        let mut anew = self.turns.ledgers.take_anew();
        anew.retain(|id| self.turns.actor.share.has(*id));
        self.count_anew(anew);
        let reread = self.turns.reread();
        self.upkeep.load(reread, Duration::ZERO);
        let elapsed = self.turns.elapsed();
        if self.upkeep.beat <= elapsed {
            // Whatever went wrong, it is tried again in time.
            let _ = self.beat();
        }
        if self.upkeep.again <= elapsed {
            let done =
                self.load_some().and_then(|()| self.expire_some()).and_then(|()| self.bury());
            if done.is_err() {
                self.upkeep.again = elapsed + RETRY;
            }
        }
    }

    /// Counts the sessions of these ledgers anew, whatever was counted or told of them.
    fn count_anew(&mut self, mut ledgers: BTreeSet<LedgerId>) {
        if !ledgers.is_empty() {
            self.leases.estrange_all(&ledgers);
            self.upkeep.load(ledgers.iter().copied(), Duration::ZERO);
            self.upkeep.anew.append(&mut ledgers);
        }
    }

    /// When something is due next.
    pub(crate) fn upkeep_due(&self) -> Duration {
        let Upkeep { beat, again, asked, loading, dead, .. } = &self.upkeep;
        if self.turns.is_fenced() {
            return Duration::MAX;
        }
        let works = !dead.is_empty() || !asked || !loading.is_empty();
        let expiry = self.leases.due().map_or(Duration::MAX, |due| self.turns.when(due));
        let work = if works { *again } else { expiry.max(*again) };
        work.min(*beat)
    }

    /// Looks for the dead before licenses are handed out, and while somebody waits for one, unless that
    /// was done just now.
    pub(crate) fn look(&mut self) {
        let elapsed = self.turns.elapsed();
        let due = match self.upkeep.looked {
            None => true,
            Some(looked) => {
                self.upkeep.watcher.shows_who_lives() && elapsed.saturating_sub(looked) >= LOOK
            }
        };
        if self.turns.is_fenced() {
            return;
        }
        if !due {
            // The beat that found them out may have been needed for something else.
            if !self.upkeep.dead.is_empty() {
                let _ = self.bury();
            }
            return;
        }
        if self.upkeep.looked.is_some() {
            // Nothing is written for that where nobody died.
            let Ok(Some(rows)) = self.turns.log.glance() else { return };
            self.upkeep.looked = Some(elapsed);
            let (own, role) = (&self.turns.actor.server, self.turns.actor.role);
            let died =
                |row: &ServerRow| row.alive == Some(false) && !row.is_ended() && row.name != **own;
            if !rows.iter().any(|row| died(row) && settles(role, row)) {
                return;
            }
        }
        // What cannot be done now is tried again.
        let _ = self.beat().and_then(|_| self.bury());
    }

    /// The register, as it is now.
    pub(crate) fn register(&mut self) -> Result<Vec<ServerRow>, Error> {
        self.beat()
    }

    /// The time, where the store also takes what this server writes to it.
    pub(crate) fn readiness(&mut self) -> Result<ClockState, Error> {
        match self.turns.unshown() {
            // To wait for its turn once more would keep everybody waiting.
            Some(busy @ Error::StoreBusy(_)) => return Err(busy.clone()),
            Some(_) => drop(self.register()?),
            None => {}
        }
        self.turns.clock_state()
    }

    /// Tells which silences are over before anybody hears that he was heard: otherwise a restart would
    /// go on counting, and end a lease on which its holder relies. Of those who are silent nothing is
    /// told meanwhile: after a restart they may be everybody, and come back one by one.
    pub(crate) fn tell_broken_silences(&mut self) -> Result<(), Error> {
        if !self.leases.must_tell() {
            return Ok(());
        }
        let over = self.leases.over();
        let next = self.upkeep.beat;
        let told = self.beat_telling(&over).map(drop);
        self.upkeep.beat = self.upkeep.beat.min(next);
        told
    }

    /// Shows that this server lives, tells who is silent, and looks who else lives.
    fn beat(&mut self) -> Result<Vec<ServerRow>, Error> {
        let now = self.turns.vouched();
        // Who went to another server is not silent there: where the store does not tell now who did,
        // nobody is told to be silent. Who goes between this and the beat is, all the same, until this
        // server forgets the session within a lease and says that it is over: rows bear no server's
        // name. Only a restart of that other server within this time reads such a row, and its client
        // has a third of a lease then to be heard again.
        let ledgers = self.leases.silent(now);
        let licenses: Vec<_> = ledgers.iter().filter_map(|id| self.turns.license(*id)).collect();
        let knows_who_went =
            licenses.is_empty() || self.turns.catch_up(&distinct(licenses.iter())).is_ok();
        if self.turns.actor.role != Role::Local {
            // What the store does not take now, it goes on saying in vain.
            let _ = self.turns.take_off();
        }
        let turns = &self.turns;
        let last = |session: &Key| turns.last_token(session).filter(|_| knows_who_went);
        let silences = self.leases.silences(now, last);
        let rows = self.beat_telling(&silences)?;
        self.upkeep.begun = true;
        Ok(rows)
    }

    /// One beat, which tells the store these silences.
    fn beat_telling(&mut self, silences: &[Silence]) -> Result<Vec<ServerRow>, Error> {
        let role = self.turns.actor.role;
        let rows = self.turns.beat(silences);
        let elapsed = self.turns.elapsed();
        let third = self.turns.actor.lease / 3;
        match &rows {
            Ok(rows) => {
                self.leases.told();
                let own = self.turns.actor.server.clone();
                if self.upkeep.watcher.goes_back(rows, &own) {
                    // This server may serve sessions again, also in ledgers that it does not know, and
                    // others may have heard some meanwhile that it serves as before.
                    (self.upkeep.asked, self.upkeep.went_back) = (false, true);
                    let ledgers = self.leases.ledgers();
                    self.count_anew(ledgers);
                }
                let every = self.upkeep.watcher.every(third);
                let dead = self.upkeep.watcher.see(rows, &own, elapsed, every);
                let settled = dead.into_iter().filter(|dead| settles(role, &dead.row));
                self.upkeep.dead = settled.collect();
                if role != Role::Local {
                    // The silences of an epoch are told before it is long enough to count.
                    let first = if self.upkeep.begun { every } else { third / 2 };
                    self.upkeep.beat = elapsed + first.min(self.upkeep.watcher.next(third));
                }
            }
            Err(_) => {
                self.upkeep.watcher.missed();
                if role != Role::Local {
                    self.upkeep.beat = elapsed + RETRY;
                }
            }
        }
        self.upkeep.looked = Some(elapsed);
        if self.turns.is_back() {
            let now = self.turns.vouched();
            self.leases.begin_afresh(now);
        }
        if role == Role::Serving {
            // What cannot be done now is tried at the next beat.
            let _ = self.adopt_local();
        }
        rows
    }

    /// Begins to vouch for what this name served before, and for what it took over.
    fn load_some(&mut self) -> Result<(), Error> {
        if !self.upkeep.asked {
            let own = self.turns.actor.server.clone();
            let ledgers = self.turns.serving(&own)?;
            if mem::take(&mut self.upkeep.went_back) {
                self.upkeep.anew.extend(&ledgers);
            }
            self.upkeep.load(ledgers, Duration::ZERO);
            self.upkeep.asked = true;
        }
        let mut idle = Vec::new();
        for _ in 0..LEDGERS_MAX {
            let Some((id, before)) = self.upkeep.loading.front().copied() else { break };
            if !self.vouch(id, before)? {
                idle.push(id);
            }
            self.upkeep.loading.pop_front();
        }
        if !idle.is_empty() {
            // What the store does not take now, it goes on saying in vain.
            let _ = self.turns.take_off_these(&idle);
        }
        Ok(())
    }

    /// Begins to vouch for what was taken over, now or as soon as the store tells of it: nobody else
    /// judges those leases any more.
    pub(crate) fn take_over(&mut self, ledgers: Vec<LedgerId>, before: Duration) {
        self.upkeep.load(ledgers, before);
        // What cannot be done now is tried again.
        let _ = self.load_some();
    }

    /// Vouches for all that this server serves in a ledger; `before` has passed already. Says whether
    /// there was anything.
    fn vouch(&mut self, id: LedgerId, before: Duration) -> Result<bool, Error> {
        let (served, silences) = self.turns.served(id)?;
        let (now, anew) = (self.turns.vouched(), self.upkeep.anew.contains(&id));
        for held in served.values() {
            let last = held.last().map(|held| held.record.token);
            let told = last.and_then(|token| silences.get(&token));
            // Where its lease is short beside this server's own, no more than a third of that.
            let before = before.min(self.leases.third(held));
            let before = told.map_or(before, |silent| before.max(*silent));
            let kept = last.filter(|_| !before.is_zero()).map(|token| (token, before));
            // What was told there is void, and is to be taken back.
            let void = |(token, _)| (token, Duration::ZERO);
            let kept = if anew { kept.map(void) } else { kept };
            self.leases.take_over(id, held, kept, now);
            // It was heard since it was told to be silent by another than its last.
            if let Some((_, before)) = held.split_last()
                && before.iter().any(|held| silences.contains_key(&held.record.token))
            {
                self.leases.void(id, before);
            }
        }
        self.upkeep.anew.remove(&id);
        Ok(!served.is_empty())
    }

    /// Ends leases that have run out.
    fn expire_some(&mut self) -> Result<(), Error> {
        let now = self.turns.vouched();
        let sessions = self.leases.overdue(now, now + RETRY, SESSIONS_MAX);
        if sessions.is_empty() {
            return Ok(());
        }
        // In a store that went back nobody is to be judged by what was counted before, and only a beat
        // tells: another may have heard him, of which the ledger knows nothing any more.
        if self.turns.actor.role != Role::Local && self.turns.shown_before() >= RETRY {
            self.beat()?;
        }
        let sessions: Vec<Key> =
            sessions.into_iter().filter(|key| self.leases.knows(key)).collect();
        let seats = &self.seats;
        let vouches = |id, held: &Held| {
            let seats = seats.get(&(id, held.record.token));
            seats.is_some_and(|(session, _)| *session == held.record.session)
        };
        let leases = &self.leases;
        self.turns.end(&sessions, ReleaseCause::LeaseExpired, |id, held| {
            leases.has_run_out(id, held, now) && !vouches(id, held)
        })?;
        for key in sessions {
            let (id, session) = &key;
            let held: Vec<_> = match self.turns.ledgers.sound(*id) {
                Some(ledger) => ledger.held(session).collect(),
                None => Vec::new(),
            };
            if held.first().is_none_or(|held| held.server != self.turns.actor.server) {
                self.leases.forget(&key);
            } else if held.iter().any(|held| vouches(*id, held)) {
                self.leases.heard(*id, &held, now);
            } else {
                self.leases.reconsider(&key, &held);
            }
        }
        Ok(())
    }

    /// Ends what is held by leases under a name that will never be taken again: nobody will hear
    /// those who hold it.
    pub(crate) fn end_leases(&mut self) -> Result<(), Error> {
        if self.turns.actor.role != Role::Transient || self.turns.is_fenced() {
            return Ok(());
        }
        for sessions in self.leases.sessions().chunks(SESSIONS_MAX) {
            self.turns.end(sessions, ReleaseCause::ServerLost, |_, held| {
                held.record.lease_seconds.is_some()
            })?;
        }
        Ok(())
    }

    /// Takes over, or ends, what one of the dead served, a few ledgers at a time.
    fn bury(&mut self) -> Result<(), Error> {
        let Some(Dead { row, silent }) = self.upkeep.dead.pop_front() else { return Ok(()) };
        let ledgers = self.turns.serving(&row.name)?;
        if ledgers.is_empty() && !self.turns.actor.share.is_first() {
            return Ok(());
        }
        let some = &ledgers[..ledgers.len().min(LEDGERS_MAX)];
        let estate = Estate {
            from: Arc::new(row.name.clone()),
            epoch: row.epoch,
            adopts: !row.transient,
            row: Some(row.clone()),
        };
        let adopted = self.settle(&estate, some).inspect_err(|_| {
            // Whether it lives after all, or somebody else settles its affairs: the register tells.
            if self.turns.actor.role != Role::Local {
                self.upkeep.beat = self.upkeep.beat.min(self.turns.elapsed() + RETRY);
            }
        })?;
        // It was noticed up to a third of a lease late. Whom it heard right before it fell silent, a
        // third of its own lease after its last beat, was not silent for longer than this.
        let seconds = Duration::from_secs;
        let least = seconds(row.grace_seconds).saturating_add(seconds(row.lease_seconds) / 3 * 2);
        let before = if silent { least.min(self.turns.actor.lease / 3) } else { Duration::ZERO };
        self.take_over(adopted, before);
        let left = self.turns.serving(&row.name)?;
        if left.len() < ledgers.len() && !left.is_empty() {
            let mut row = row;
            row.instance.clear();
            self.upkeep.dead.push_front(Dead { row, silent });
        }
        Ok(())
    }

    /// Takes over what single commands retained.
    pub(crate) fn adopt_local(&mut self) -> Result<(), Error> {
        let local = ServerName::new(LOCAL).expect("the name is short");
        let ledgers = self.turns.serving(&local)?;
        if ledgers.is_empty() {
            return Ok(());
        }
        let estate = Estate { from: Arc::new(local), epoch: 0, row: None, adopts: true };
        let some = &ledgers[..ledgers.len().min(LEDGERS_MAX)];
        let adopted = self.settle(&estate, some)?;
        self.take_over(adopted, Duration::ZERO);
        Ok(())
    }

    fn settle(&mut self, estate: &Estate, ledgers: &[LedgerId]) -> Result<Vec<LedgerId>, Error> {
        let adopted = self.turns.settle(estate, ledgers);
        estrange_come(&mut self.turns, &mut self.leases);
        adopted
    }
}

/// Forgets what was counted of sessions that came with a turn, before anything is counted anew: one
/// that went to another server and comes back was heard there.
pub(crate) fn estrange_come(turns: &mut Turns, leases: &mut Leases) {
    for key in turns.ledgers.take_came() {
        leases.estrange(&key);
    }
}

/// Whether a pool settles the affairs of a server that died.
fn settles(role: Role, row: &ServerRow) -> bool {
    role == Role::Serving || row.transient
}
