//! One turn after the other: catch up, decide everything that waits, seal, apply, append, commit.
//! A turn that fails leaves nothing behind, in the store or in memory.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use license_core::{Event, Fault, Stamp};
use license_types::{Batch, ServerName, Token};

use crate::alarms::Bell;
use crate::archivist::{Archives, Archivist};
use crate::commits::Commits;
use crate::lanes::Share;
use crate::leases::Key;
use crate::ledgers::Ledgers;
use crate::log::{
    Append, Found, LedgerId, Log, LogError, Mark, News, OpenError, Since, Turn, TurnError, Which,
};
use crate::refusals::Refusals;
use crate::store_clock::StoreClock;
use crate::tail::{self, Tails};
use crate::vouched::Vouched;
use crate::{Clock, ClockState, Error};

mod outcome;
mod standing;

pub(crate) use outcome::{Turned, Unknown};
use standing::is_away;

/// So often a turn is taken again because a ledger had to be read from its start first.
const RELOADS_MAX: usize = 8;

/// So often the same commands are decided, before it is said that they cannot be committed.
pub(crate) const DECIDED_MAX: usize = 3;

/// Who acts in the name of which server.
pub(crate) struct Actor {
    pub(crate) server: Arc<ServerName>,
    pub(crate) epoch: u64,
    /// Random; with the number of the turn it makes a batch id that nobody else makes.
    pub(crate) instance: String,
    pub(crate) role: Role,
    /// The ledgers that it serves.
    pub(crate) share: Share,
    /// The server's default lease.
    pub(crate) lease: Duration,
}

/// What a pool is among those that share its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// No server: one of those that act for a single command.
    Local,
    /// A server under a name that was made up for it: what it serves ends with it.
    Transient,
    /// A server under a name of its own.
    Named,
    /// The same, which takes over what the dead served.
    Serving,
}

pub(crate) struct Turns {
    pub(crate) log: Box<dyn Log>,
    clock: Arc<dyn Clock>,
    store_clock: StoreClock,
    /// When the clock was corrected last, as a ledger says that was read from its start.
    corrected: Option<Timestamp>,
    pub(crate) actor: Actor,
    pub(crate) ledgers: Ledgers,
    vouched: Vouched,
    /// The store that took the place of this one.
    sealed_to: Option<String>,
    /// Whether the store was away and is back.
    back: bool,
    /// Whether another took this server's name: nothing is left to be done.
    fenced: Option<Error>,
    /// When the beat began that the store took last.
    shown: Option<Duration>,
    /// Why the store did not take the last beat.
    unshown: Option<Error>,
    /// Why nobody can be heard: this server cannot show that it lives.
    mute: Option<Error>,
    pub(crate) bell: Arc<Bell>,
    /// Ledgers that were read from their start again, or in which a turn may have been made of which
    /// nobody was told, since this was last asked.
    reread: Vec<LedgerId>,
    archives: Archives,
    pub(crate) refusals: Refusals,
    taken: u64,
    pub(crate) commits: Arc<Mutex<Commits>>,
    /// Whether this pool wrote something since it was last looked.
    pub(crate) stirred: bool,
    /// Whether the log tells when somebody else wrote.
    pub(crate) tells_changes: bool,
    /// The ends of the logs that are followed.
    pub(crate) tails: Tails,
}

/// What a turn is decided on.
pub(crate) struct Moment<'a> {
    pub(crate) ledgers: &'a mut Ledgers,
    pub(crate) found: &'a [Found],
    pub(crate) stamp: &'a Stamp,
    pub(crate) clock: ClockState,
    /// Whether it is only assumed that the ledgers are up to date: nothing may be answered before
    /// the turn is made.
    pub(crate) assumed: bool,
}

impl Moment<'_> {
    /// Whether a license that was asked for leads to this ledger: then it is up to date.
    pub(crate) fn leads_to(&self, id: LedgerId) -> bool {
        self.found.iter().any(|found| found.ledger() == Some(id))
    }
}

/// What to change and what to answer then; or the entry of our own that broke a ledger.
pub(crate) type Plan<T> = Result<(Turn, T), Fault>;

/// What a turn is about to change, as far as memory must know of it once it is durable.
struct Changes {
    /// The first entry; none where nothing is appended.
    mark: Option<Mark>,
    /// The ledgers that are appended to, but for new ones.
    ledgers: Vec<LedgerId>,
    /// Those that the store lists from now on as served by this server. Only the writer that serves a
    /// ledger takes it off that list again, so it alone notes that.
    listed: Vec<LedgerId>,
    /// The entries of the logs that are followed.
    told: Vec<tail::News>,
    /// How many entries there are in all.
    entries: usize,
    /// When it was decided, by the clock that nobody can set.
    decided: Duration,
}

impl Turns {
    pub(crate) fn new(
        mut log: Box<dyn Log>,
        clock: Arc<dyn Clock>,
        actor: Actor,
        loaded_max: usize,
        mut archives: Archives,
        commits: Arc<Mutex<Commits>>,
        bell: Arc<Bell>,
    ) -> Result<Turns, LogError> {
        let vouched = Vouched::new(clock.elapsed(), actor.lease / 3);
        let tells_changes = log.changed().is_ok_and(|changed| changed.is_some());
        // What the clock shows now is believed; what it shows later, only if it follows from that.
        let mut store_clock = StoreClock::default();
        tell(&mut store_clock, &*clock, &log.catch_up(&[])?, None);
        if actor.share.is_first() {
            archives.begin(&*log, store_clock.believed());
        }
        Ok(Turns {
            log,
            clock,
            store_clock,
            corrected: None,
            ledgers: Ledgers::new(actor.server.clone(), loaded_max, bell.clone()),
            actor,
            vouched,
            sealed_to: None,
            back: false,
            fenced: None,
            shown: None,
            unshown: None,
            mute: None,
            bell,
            reread: Vec::new(),
            archives,
            refusals: Refusals::default(),
            taken: 0,
            commits,
            stirred: false,
            tells_changes,
            tails: Tails::default(),
        })
    }

    /// The time that passed, by a clock that nobody can set.
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// The ledgers in which this server may serve sessions that it does not know, since this was last
    /// asked: those that were read from their start again, since in a store that went back in time
    /// sessions may hold again what they had released; and those of commits without an answer, since
    /// whoever is told nothing may never come again. Where another writer serves a ledger in which
    /// something was installed here, that one hears its sessions.
    pub(crate) fn reread(&mut self) -> Vec<LedgerId> {
        let share = self.actor.share;
        std::mem::take(&mut self.reread).into_iter().filter(|id| share.has(*id)).collect()
    }

    /// Notes ledgers in which this server may serve sessions that it does not know.
    pub(crate) fn read_again(&mut self, ids: Vec<LedgerId>) {
        self.reread.extend(ids);
    }

    /// What keeps the log short, for somebody else's thread.
    pub(crate) fn archivist(&self) -> Result<Option<Archivist>, OpenError> {
        self.archives.archivist(&*self.log, self.store_clock.believed())
    }

    /// Does a little of what keeps the log short, where that has no thread of its own.
    pub(crate) fn archive_some(&mut self) {
        self.archives.step();
    }

    /// When there is more of that to do.
    pub(crate) fn archive_due(&self) -> Duration {
        self.archives.due()
    }

    /// The ledgers in which a server serves sessions, of those that are served here.
    pub(crate) fn serving(&mut self, server: &ServerName) -> Result<Vec<LedgerId>, Error> {
        let mut ledgers = self.log.serving(server).map_err(Error::store)?;
        ledgers.retain(|id| self.actor.share.has(*id));
        Ok(ledgers)
    }

    /// The time now, by the store's clock.
    pub(crate) fn clock_state(&mut self) -> Result<ClockState, Error> {
        self.catch_up(&[]).map(|(_, clock)| clock)
    }

    /// Believes what the store's clock shows next; gives what was believed before.
    pub(crate) fn doubt_clock(&mut self) -> StoreClock {
        std::mem::take(&mut self.store_clock)
    }

    /// Believes again what was believed before.
    pub(crate) fn trust_clock(&mut self, before: StoreClock) {
        self.store_clock = before;
    }

    /// Where licenses lead, with their ledgers up to date, and the time.
    pub(crate) fn catch_up(
        &mut self,
        licenses: &[Which],
    ) -> Result<(Vec<Found>, ClockState), Error> {
        self.not_fenced()?;
        for _ in 0..RELOADS_MAX {
            let asked = self.ledgers.ask(licenses, self.clock.elapsed());
            let news = self.log.catch_up(&asked).map_err(Error::store);
            let news = self.note(news)?;
            self.sealed_to.clone_from(&news.sealed_to);
            let corrected = self.corrected.take();
            let clock = tell(&mut self.store_clock, &*self.clock, &news, corrected);
            match self.ledgers.absorb(&asked, &news) {
                Ok(()) => {
                    self.tails.hear(&news.ledgers);
                    return Ok((news.found, clock));
                }
                Err(stale) => self.reload(stale)?,
            }
        }
        Err(restless())
    }

    /// Takes a turn: what `plan` says is appended and durable when its value comes back. What was not
    /// made although it was to be committed is planned again.
    pub(crate) fn turn<T>(
        &mut self,
        licenses: &[Which],
        mut plan: impl FnMut(Moment<'_>) -> Plan<T>,
    ) -> Result<T, Error> {
        let mut decided = 0;
        loop {
            decided += 1;
            match self.take(licenses, &mut plan)? {
                Turned::Made(value) => return Ok(value),
                Turned::NotMade(..) if decided < DECIDED_MAX => {}
                Turned::NotMade(_, error) => return Err(Error::store(error)),
                Turned::Unknown(unknown) => return Err(unknown.error()),
            }
        }
    }

    /// Takes a turn, and says how it ended where its commit got no answer.
    pub(crate) fn take<T>(
        &mut self,
        licenses: &[Which],
        plan: impl FnMut(Moment<'_>) -> Plan<T>,
    ) -> Result<Turned<T>, Error> {
        self.not_fenced()?;
        self.not_mute()?;
        let turned = self.try_turn(licenses, plan);
        self.note_away(match &turned {
            Ok(Turned::Made(_)) => false,
            Ok(Turned::NotMade(..) | Turned::Unknown(_)) => true,
            Err(error) => is_away(error),
        });
        self.note_fenced(turned)
    }

    fn try_turn<T>(
        &mut self,
        licenses: &[Which],
        mut plan: impl FnMut(Moment<'_>) -> Plan<T>,
    ) -> Result<Turned<T>, Error> {
        for _ in 0..RELOADS_MAX {
            let stamp = self.stamp();
            let asked = self.ledgers.ask(licenses, self.clock.elapsed());
            let (mut stale, mut planned) = (Vec::new(), None);
            let (log, ledgers, tails) = (&mut self.log, &mut self.ledgers, &mut self.tails);
            let (store_clock, machine) = (&mut self.store_clock, &*self.clock);
            let (corrected, share) = (&mut self.corrected, self.actor.share);
            let mut decide = |news: News| {
                if let Err(ids) = ledgers.absorb(&asked, &news) {
                    stale = ids;
                    return Turn::default();
                }
                tails.hear(&news.ledgers);
                // Only now: it may have taken long until it was this turn's turn.
                let clock = tell(store_clock, machine, &news, corrected.take());
                let News { found, assumed, .. } = &news;
                match plan(Moment { ledgers, found, stamp: &stamp, clock, assumed: *assumed }) {
                    Ok((turn, value)) => {
                        let begins = |append: &&Append| append.lists(ledgers.server());
                        let begun = turn.appends.iter().filter(begins);
                        let begun = begun.filter_map(|append| append.ledger);
                        let changes = Changes {
                            mark: turn.appends.iter().find_map(Mark::of),
                            ledgers: turn.appends.iter().filter_map(|it| it.ledger).collect(),
                            listed: begun.filter(|id| share.has(*id)).collect(),
                            told: tails.news(&turn.appends),
                            entries: turn.appends.iter().map(|it| it.entries.len()).sum(),
                            decided: machine.elapsed(),
                        };
                        planned = Some(Ok((value, changes)));
                        turn
                    }
                    Err(fault) => {
                        planned = Some(Err(Error::Internal(Some(Arc::new(fault)))));
                        Turn::default()
                    }
                }
            };
            let taken = catch_unwind(AssertUnwindSafe(|| log.turn(&asked, &mut decide)));
            // A ledger in memory that is ahead of the log after a turn that failed needs no care: the
            // log does not know its head, so it is read again before it is used.
            return match taken {
                Ok(Ok(())) if !stale.is_empty() => {
                    self.reload(stale)?;
                    continue;
                }
                Ok(Ok(())) => {
                    let (value, changes) = planned.unwrap_or(Err(Error::Internal(None)))?;
                    self.committed(changes);
                    Ok(Turned::Made(value))
                }
                // The ledgers in memory are ahead of a log that has gone another way: asked for what
                // it knows of them, it says that they must be read again.
                Ok(Err(TurnError::Overtaken)) => continue,
                Ok(Err(TurnError::Dropped(error))) => Err(Error::store(error)),
                Ok(Err(TurnError::Unknown(error))) => {
                    let Some(Ok((value, Changes { mark, ledgers, .. }))) = planned else {
                        return Err(Error::OutcomeUnknown(Arc::new(error)));
                    };
                    self.reread.extend(ledgers);
                    match mark {
                        Some(mark) => self.decide(Unknown { value, mark, error }),
                        // Without an entry, nothing tells later whether it was made.
                        None => Err(Error::OutcomeUnknown(Arc::new(error))),
                    }
                }
                Err(_panic) => {
                    self.ledgers.forget_all();
                    Err(Error::Internal(None))
                }
            };
        }
        Err(restless())
    }

    /// Takes note of a turn that is durable now.
    fn committed(&mut self, changes: Changes) {
        let Changes { mark, ledgers, listed, told, entries, decided } = changes;
        self.stirred |= mark.is_some();
        self.tails.extend(told);
        if mark.is_some() {
            let time = self.clock.elapsed().saturating_sub(decided);
            let mut commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
            commits.note(u64::try_from(entries).unwrap_or(u64::MAX), time);
        }
        listed.into_iter().for_each(|id| self.ledgers.list(id));
        for id in ledgers {
            self.ledgers.believe(id);
            if let Some(ledger) = self.ledgers.due(id, self.archives.keep()) {
                let believed = self.store_clock.believed();
                self.archives.tell(&*self.log, id, ledger, believed);
            }
        }
    }

    /// The ledgers that can be used of those asked for, from the store where they are not in memory.
    pub(crate) fn load(&mut self, ids: &[LedgerId]) -> Result<(), Error> {
        let missing: Vec<LedgerId> =
            ids.iter().copied().filter(|id| !self.ledgers.is_known(*id)).collect();
        self.reload(missing.clone())?;
        for id in missing {
            if let Some(license) = self.license(id) {
                self.ledgers.lead(license, id);
            }
        }
        Ok(())
    }

    /// The license that leads to a ledger in memory.
    pub(crate) fn license(&self, id: LedgerId) -> Option<Which> {
        let number = self.ledgers.sound(id)?.license_number()?;
        Some(Which::Number(number.clone()))
    }

    /// The token that a session retained last, as far as is known, where this server serves it.
    pub(crate) fn last_token(&self, (id, session): &Key) -> Option<Token> {
        let last = self.ledgers.sound(*id)?.held(session).last()?;
        (last.server == self.actor.server).then_some(last.record.token)
    }

    fn reload(&mut self, stale: Vec<LedgerId>) -> Result<(), Error> {
        for id in stale {
            if self.ledgers.is_known(id) {
                self.reread.push(id);
            }
            self.tails.end(id);
            let corrected = self.ledgers.reload(&mut *self.log, id).map_err(Error::store)?;
            self.corrected = self.corrected.max(corrected);
        }
        Ok(())
    }

    /// The stamp of who only asks what would be decided.
    pub(crate) fn stamp_of_reader(&self) -> Stamp {
        let batch = Arc::new(Batch::new("0".repeat(32)).expect("32 hexadecimal digits"));
        let Actor { server, epoch, .. } = &self.actor;
        Stamp { server: server.clone(), epoch: *epoch, batch, principal: None }
    }

    fn stamp(&mut self) -> Stamp {
        self.taken += 1;
        let Actor { instance, share, .. } = &self.actor;
        let batch = format!("{instance}{:02x}{:014x}", share.place, self.taken);
        Stamp {
            server: self.actor.server.clone(),
            epoch: self.actor.epoch,
            batch: Arc::new(Batch::new(batch).expect("32 hexadecimal digits")),
            principal: None,
        }
    }
}

pub(crate) fn distinct<'a>(licenses: impl Iterator<Item = &'a Which>) -> Vec<Which> {
    let mut licenses: Vec<&Which> = licenses.collect();
    licenses.sort_unstable();
    licenses.dedup();
    licenses.into_iter().cloned().collect()
}

pub(crate) fn place(licenses: &[Which], license: &Which) -> usize {
    licenses.binary_search(license).expect("every license was asked for")
}

/// A ledger was replaced again and again while it was read.
fn restless() -> Error {
    let source = "its history was replaced again and again while it was read".into();
    Error::store(LogError::Unavailable { action: "hold still", source })
}

/// What the store's clock tells. Who corrected it is believed, be it that the news say so or, where
/// those were too many, a ledger that was read.
fn tell(
    store_clock: &mut StoreClock,
    clock: &dyn Clock,
    news: &News,
    corrected: Option<Timestamp>,
) -> ClockState {
    let stores = news.time.filter(|_| clock.yields());
    let (shown, elapsed) = (stores.unwrap_or_else(|| clock.now()), clock.elapsed());
    let tells = |since: &Since| match since {
        Since::Entries(entries) => entries.iter().any(|entry| entry.event == Event::ClockCorrected),
        Since::Reload | Since::WentBack => false,
    };
    match corrected {
        _ if news.ledgers.iter().any(|(_, since)| tells(since)) => {
            store_clock.believe_anew(shown, elapsed)
        }
        Some(corrected) => store_clock.read_corrected(corrected, shown, elapsed),
        None => store_clock.read(shown, elapsed),
    }
}
