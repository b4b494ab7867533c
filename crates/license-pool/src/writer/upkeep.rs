//! What a writer does though nobody asks. It beats, that is, shows in the register that its server
//! lives; it ends leases that ran out; and it takes over what dead servers served.
//!
//! A server *vouches for* the sessions that it serves: it alone hears them and judges their leases
//! (see `leases`). Whenever it begins to serve sessions that it did not hear itself (after a restart,
//! an adoption, or when the store went back in time), their ledgers are queued for *loading*:
//! [`load_some`](Writer::load_some) reads what it serves there, and leases begin.
//!
//! The dead are found by the register (see `watcher`), and their *estates* are settled a few ledgers
//! at a time ([`bury`](Writer::bury), `takeover`): the first turn ends the epoch of the dead, so that
//! it cannot wake and answer, and each ledger gets one entry that adopts its sessions. What single
//! commands retained under the name `local` is adopted in the same way, without a death.

use std::collections::{BTreeSet, VecDeque};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use license_core::Held;
use license_types::{ReleaseCause, ServerName};

use super::Writer;
use super::watcher::{Dead, Watcher};
use crate::leases::{Key, Leases};
use crate::log::{LedgerId, ServerRow, Silence};
use crate::turn::takeover::Estate;
use crate::turn::{Role, Turns, distinct};
use crate::{ClockState, Error, LOCAL};

/// How long to wait before something is tried again that the store did not take.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// How often to look for the dead, in a store that shows at once who died.
const LOOK: Duration = Duration::from_secs(1);

/// How many ledgers are loaded or adopted in one step, while callers wait.
const LEDGERS_MAX: usize = 16;

/// How many sessions are judged in one turn.
const SESSIONS_MAX: usize = 512;

/// What upkeep there is to do, and when.
pub(crate) struct Upkeep {
    pub(crate) watcher: Watcher,
    /// When to beat next.
    beat: Duration,
    /// When the register was last looked at.
    looked: Option<Duration>,
    /// Whether the first beat of this epoch was made.
    begun: bool,
    /// Whether the store was asked in which ledgers this name served sessions before.
    asked: bool,
    /// Whether it is to be asked again because the store went back in time.
    went_back: bool,
    /// The ledgers with sessions that this server serves and does not vouch for yet, and how long
    /// those may have been silent already.
    loading: VecDeque<(LedgerId, Duration)>,
    /// Those of them for which the silences in the store are no longer true.
    anew: BTreeSet<LedgerId>,
    /// The servers that were found dead and are not buried yet.
    dead: VecDeque<Dead>,
    /// When to try again what the store did not take.
    again: Duration,
}

impl Upkeep {
    pub(crate) fn new(role: Role) -> Upkeep {
        Upkeep {
            watcher: Watcher::default(),
            beat: if role == Role::Local { Duration::MAX } else { Duration::ZERO },
            looked: None,
            begun: false,
            // A new name has served nothing yet, and `local` serves nothing itself.
            asked: matches!(role, Role::Local | Role::Transient),
            went_back: false,
            loading: VecDeque::new(),
            anew: BTreeSet::new(),
            dead: VecDeque::new(),
            again: Duration::ZERO,
        }
    }

    /// Queues ledgers to be loaded; the sessions there may have been silent for `before` already.
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
            // Ledgers that the store lists as served here must stay in memory, so shorten that list.
            // If it fails now, they stay for longer.
            let _ = self.turns.take_off();
        }
        let mut anew = self.turns.ledgers.take_anew();
        anew.retain(|id| self.turns.actor.share.has(*id));
        self.count_anew(anew);
        let reread = self.turns.reread();
        self.upkeep.load(reread, Duration::ZERO);
        let elapsed = self.turns.elapsed();
        if self.upkeep.beat <= elapsed {
            // It has set when to try again, whatever went wrong.
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

    /// Begins the leases of all sessions in these ledgers anew: what was counted so far, here and in
    /// the store, is no longer true.
    fn count_anew(&mut self, mut ledgers: BTreeSet<LedgerId>) {
        if !ledgers.is_empty() {
            self.leases.estrange_all(&ledgers);
            self.upkeep.load(ledgers.iter().copied(), Duration::ZERO);
            self.upkeep.anew.append(&mut ledgers);
        }
    }

    /// The elapsed time at which upkeep is due next.
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

    /// Looks for the dead, unless that was done just now: before licenses are handed out, and while
    /// somebody waits for one.
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
            // A beat that was made for another reason may have found somebody dead.
            if !self.upkeep.dead.is_empty() {
                let _ = self.bury();
            }
            return;
        }
        if self.upkeep.looked.is_some() {
            // A glance writes nothing. Only if it shows somebody dead a beat follows.
            let Ok(Some(rows)) = self.turns.log.glance() else { return };
            self.upkeep.looked = Some(elapsed);
            let (own, role) = (&self.turns.actor.server, self.turns.actor.role);
            let died =
                |row: &ServerRow| row.alive == Some(false) && !row.is_ended() && row.name != **own;
            if !rows.iter().any(|row| died(row) && settles(role, row)) {
                return;
            }
        }
        // If it fails, it is tried again.
        let _ = self.beat().and_then(|_| self.bury());
    }

    /// The register, as it is now. Asking for it is a beat.
    pub(crate) fn register(&mut self) -> Result<Vec<ServerRow>, Error> {
        self.beat()
    }

    /// The time, if the store also takes writes: it fails while the last beat did.
    pub(crate) fn readiness(&mut self) -> Result<ClockState, Error> {
        match self.turns.unshown() {
            // Another beat would wait for the turn once more, and everybody with it.
            Some(busy @ Error::StoreBusy(_)) => return Err(busy.clone()),
            Some(_) => drop(self.register()?),
            None => {}
        }
        self.turns.clock_state()
    }

    /// Tells the store which silences are over, before the sessions are answered that broke them:
    /// otherwise a restart would go on counting a silence, and end a lease on which its holder relies.
    /// The silences that go on are not told again here: after a restart everybody may be silent and
    /// come back one by one, and each would cause the whole list to be written.
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

    /// Beats: shows that this server lives, tells the store who is silent, and looks who else lives.
    fn beat(&mut self) -> Result<Vec<ServerRow>, Error> {
        let now = self.turns.vouched();
        // A session that went to another server is not silent there. So memory is brought up to date
        // first; if that fails, nobody is told to be silent.
        //
        // A session that goes between here and the beat is told to be silent by mistake, since the
        // rows bear no server's name. That stands until this server notices, within a lease, and tells
        // that the silence is over. It matters only if the other server restarts in that time, and
        // even then the client has a third of a lease to be heard again.
        let ledgers = self.leases.silent(now);
        let licenses: Vec<_> = ledgers.iter().filter_map(|id| self.turns.license(*id)).collect();
        let knows_who_went =
            licenses.is_empty() || self.turns.catch_up(&distinct(licenses.iter())).is_ok();
        if self.turns.actor.role != Role::Local {
            // If it fails, the store goes on listing this server in vain, which does no harm.
            let _ = self.turns.take_off();
        }
        let turns = &self.turns;
        let last = |session: &Key| turns.last_token(session).filter(|_| knows_who_went);
        let silences = self.leases.silences(now, last);
        let rows = self.beat_telling(&silences)?;
        self.upkeep.begun = true;
        Ok(rows)
    }

    /// Beats once, telling the store these silences.
    fn beat_telling(&mut self, silences: &[Silence]) -> Result<Vec<ServerRow>, Error> {
        let role = self.turns.actor.role;
        let rows = self.turns.beat(silences);
        let elapsed = self.turns.elapsed();
        let third = self.turns.actor.lease / 3;
        match &rows {
            Ok(rows) => {
                self.leases.note_told();
                let own = self.turns.actor.server.clone();
                if self.upkeep.watcher.goes_back(rows, &own) {
                    // In the store as it is now, this server may serve sessions that it had released,
                    // also in ledgers that it no longer knows. And of those that it serves as before,
                    // others may have heard some meanwhile.
                    (self.upkeep.asked, self.upkeep.went_back) = (false, true);
                    let ledgers = self.leases.ledgers();
                    self.count_anew(ledgers);
                }
                let every = self.upkeep.watcher.every(third);
                let dead = self.upkeep.watcher.see(rows, &own, elapsed, every);
                let settled = dead.into_iter().filter(|dead| settles(role, &dead.row));
                self.upkeep.dead = settled.collect();
                if role != Role::Local {
                    // Sooner, so that this epoch's silences are told before they are long enough to
                    // count.
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
            // If it fails, the next beat tries again.
            let _ = self.adopt_local();
        }
        rows
    }

    /// Begins to vouch for what this name served before and for what it took over, in some of the
    /// ledgers that are queued.
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
            // If it fails, the store goes on listing this server in vain, which does no harm.
            let _ = self.turns.take_off_these(&idle);
        }
        Ok(())
    }

    /// Begins to vouch for what was taken over, now or as soon as the store can be read: nobody else
    /// judges those leases any more. The sessions may have been silent for `before` already.
    pub(crate) fn take_over(&mut self, ledgers: Vec<LedgerId>, before: Duration) {
        self.upkeep.load(ledgers, before);
        // If it fails, the ledgers stay queued.
        let _ = self.load_some();
    }

    /// Vouches for all that this server serves in a ledger, which may have been silent for `before`
    /// already. Says whether it serves anything there.
    fn vouch(&mut self, id: LedgerId, before: Duration) -> Result<bool, Error> {
        let (served, silences) = self.turns.served(id)?;
        let (now, anew) = (self.turns.vouched(), self.upkeep.anew.contains(&id));
        for held in served.values() {
            let last = held.last().map(|held| held.record.token);
            let told = last.and_then(|token| silences.get(&token));
            // Of a session with a short lease, no more than a third of that lease counts.
            let before = before.min(self.leases.third(held));
            let before = told.map_or(before, |silent| before.max(*silent));
            // A silence that is no longer true counts for nothing, and its row is to be removed.
            let silent = if anew { Duration::ZERO } else { before };
            let silence = |token| Silence { ledger: id, token, silent };
            let silence = last.filter(|_| !before.is_zero()).map(silence);
            self.leases.take_over(id, held, silence, now);
            // A silence told by an earlier token is over: the session retained another license since.
            if let Some((_, before)) = held.split_last()
                && before.iter().any(|held| silences.contains_key(&held.record.token))
            {
                self.leases.void(id, before);
            }
        }
        self.upkeep.anew.remove(&id);
        Ok(!served.is_empty())
    }

    /// Releases what is held by leases that have run out, of some sessions.
    fn expire_some(&mut self) -> Result<(), Error> {
        let now = self.turns.vouched();
        let sessions = self.leases.overdue(now, RETRY, SESSIONS_MAX);
        if sessions.is_empty() {
            return Ok(());
        }
        // If the store went back in time, nobody may be judged by what was counted before: another
        // server may have heard the session, and the ledger no longer says so. Only a beat shows that.
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

    /// At the end of a server with a made-up name, releases what is held by leases: nobody will ever
    /// take that name, so nobody could renew them.
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

    /// Settles the estate of one dead server, in a few ledgers at a time: what it served is adopted,
    /// or released if its name was made up.
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
            // It may live after all, or somebody else has settled it: look at the register soon.
            if self.turns.actor.role != Role::Local {
                self.upkeep.beat = self.upkeep.beat.min(self.turns.elapsed() + RETRY);
            }
        })?;
        // Silence is noticed up to a third of a lease late, and that counts as silence of the sessions
        // too. But not more than they were silent for certain: the dead server may have heard somebody
        // up to a third of its own lease after its last beat, which leaves two thirds and its grace.
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

    /// Adopts what one-shot commands retained, in a few ledgers at a time.
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

/// Forgets what was counted for the sessions that came here with a turn: one that had gone to another
/// server and comes back was heard there meanwhile.
pub(crate) fn estrange_come(turns: &mut Turns, leases: &mut Leases) {
    for key in turns.ledgers.take_came() {
        leases.estrange(&key);
    }
}

/// Whether a pool in this role settles the estate of a dead server. Everybody does where a made-up
/// name died, since its seats only have to be released.
fn settles(role: Role, row: &ServerRow) -> bool {
    role == Role::Serving || row.transient
}
