//! Takes turns, one after the other: catch up, decide everything that waits, seal, apply, append,
//! commit. A turn that fails leaves nothing behind, in the store or in memory.
//!
//! A turn ends in one of three ways ([`Turned`]). *Made*: all of it is durable, and may be answered.
//! *Not made*: nothing was written, and the commands can be decided again. *Unknown*: the commit got
//! no answer, as when the connection breaks. Nobody is answered then; [`Turns::decide`] asks the
//! store for the turn's first entry (its [`Mark`]) until that shows which of the two it was. The
//! module `writer::undecided` keeps the commands meanwhile.
//!
//! Entries are applied to the ledgers in memory while they are decided. After a turn that failed,
//! memory is ahead of the log. That needs no undoing: whoever asks the log next names the head that
//! memory has, the log does not know that head, and the ledger is read again before it is used.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use license_core::{Event, Fault, Stamp};
use license_types::{Batch, ServerName, Token};

use crate::alarms::Bell;
use crate::archivist::{Archives, Archivist};
use crate::commits::Commits;
use crate::leases::Key;
use crate::ledgers::Ledgers;
use crate::log::{Found, LedgerId, Log, LogError, News, OpenError, Since, Turn, TurnError, Which};
use crate::share::Share;
use crate::tail::Tails;
use crate::{Clock, ClockState, Error};

pub(crate) mod attempt;
pub(crate) mod commands;
mod install;
mod outcome;
pub(crate) mod refusals;
pub(crate) mod renewals;
mod standing;
pub(crate) mod step;
pub(crate) mod store_clock;
pub(crate) mod takeover;
mod vouched;

use outcome::Changes;
pub(crate) use outcome::{Turned, Unknown};
use refusals::Refusals;
use standing::{Standing, is_away};
use store_clock::StoreClock;
use vouched::Vouched;
pub(crate) use vouched::VouchedTime;

/// How many times a turn is tried when ledgers have to be read from the store first.
const RELOADS_MAX: usize = 8;

/// How many times the same commands are decided before their callers are told that they cannot be
/// committed.
pub(crate) const DECIDED_MAX: usize = 3;

/// The server in whose name a pool acts, and what is the pool's own of it.
pub(crate) struct Actor {
    pub(crate) server: Arc<ServerName>,
    pub(crate) epoch: u64,
    /// Random, so that with the number of the turn it makes a batch id that is unique.
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
    /// No server: the pool of a one-shot command.
    Local,
    /// A server whose name was made up for it: what it serves ends with it.
    Transient,
    /// A server under a name of its own.
    Named,
    /// A named server that also takes over what dead servers served.
    Serving,
}

pub(crate) struct Turns {
    pub(crate) log: Box<dyn Log>,
    clock: Arc<dyn Clock>,
    store_clock: StoreClock,
    /// When the clock was last corrected, according to the ledgers that were read since the last turn
    /// or catch-up.
    corrected: Option<Timestamp>,
    pub(crate) actor: Actor,
    pub(crate) ledgers: Ledgers,
    standing: Standing,
    pub(crate) bell: Arc<Bell>,
    /// Ledgers in which this server may serve sessions that it does not know of: see
    /// [`reread`](Self::reread).
    reread: Vec<LedgerId>,
    archives: Archives,
    pub(crate) refusals: Refusals,
    taken: u64,
    pub(crate) commits: Arc<Mutex<Commits>>,
    /// Whether this pool wrote anything since the last poll.
    pub(crate) stirred: bool,
    /// Whether the log can tell that somebody else wrote.
    pub(crate) tells_changes: bool,
    /// The ends of the logs that somebody follows.
    pub(crate) tails: Tails,
}

/// What a turn is decided on: the ledgers, up to date, and the time.
pub(crate) struct Moment<'a> {
    pub(crate) ledgers: &'a mut Ledgers,
    pub(crate) found: &'a [Found],
    pub(crate) stamp: &'a Stamp,
    pub(crate) clock: ClockState,
    /// Whether the ledgers are only assumed to be up to date: then not even a refusal may be answered
    /// before the turn is made.
    pub(crate) assumed: bool,
}

impl Moment<'_> {
    /// Whether a license that the turn asked for leads to this ledger. Only then is it up to date.
    pub(crate) fn leads_to(&self, id: LedgerId) -> bool {
        self.found.iter().any(|found| found.ledger() == Some(id))
    }
}

/// What to append, and what to answer once that is durable; or the entry of ours that would break a
/// ledger.
pub(crate) type Plan<T> = Result<(Turn, T), Fault>;

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
        let vouched = Vouched::begin(clock.elapsed(), actor.lease / 3);
        let tells_changes = log.changed().is_ok_and(|changed| changed.is_some());
        // At the start the clock is believed as it is; later only as far as it follows from this.
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
            standing: Standing::new(vouched),
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

    /// The time elapsed, by the clock that nobody can set.
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Takes the ledgers in which this server may serve sessions that it does not know of:
    /// - those that were read anew: if their store went back in time, sessions may hold again what
    ///   they had released;
    /// - those of commits without an answer: a session that is told nothing may never come again.
    ///
    /// A ledger that another writer serves is left out, though this one may have installed its license.
    pub(crate) fn reread(&mut self) -> Vec<LedgerId> {
        let share = self.actor.share;
        std::mem::take(&mut self.reread).into_iter().filter(|id| share.has(*id)).collect()
    }

    /// Adds ledgers to those that [`reread`](Self::reread) gives.
    pub(crate) fn read_again(&mut self, ids: Vec<LedgerId>) {
        self.reread.extend(ids);
    }

    /// An archivist for the caller's own thread.
    pub(crate) fn archivist(&self) -> Result<Option<Archivist>, OpenError> {
        self.archives.archivist(&*self.log, self.store_clock.believed())
    }

    /// Does one short step of archiving, if that has no thread of its own.
    pub(crate) fn archive_some(&mut self) {
        self.archives.step();
    }

    /// When to call [`archive_some`](Self::archive_some) next.
    pub(crate) fn archive_due(&self) -> Duration {
        self.archives.due()
    }

    /// The ledgers in which `server` serves sessions, as far as they are this writer's share.
    pub(crate) fn serving(&mut self, server: &ServerName) -> Result<Vec<LedgerId>, Error> {
        let mut ledgers = self.log.serving(server).map_err(Error::store)?;
        ledgers.retain(|id| self.actor.share.has(*id));
        Ok(ledgers)
    }

    /// The time now, by the store's clock.
    pub(crate) fn clock_state(&mut self) -> Result<ClockState, Error> {
        self.catch_up(&[]).map(|(_, clock)| clock)
    }

    /// Believes the store's clock at its next reading, whatever it shows; gives what was believed
    /// before.
    pub(crate) fn doubt_clock(&mut self) -> StoreClock {
        std::mem::take(&mut self.store_clock)
    }

    /// Undoes [`doubt_clock`](Self::doubt_clock), given what that gave.
    pub(crate) fn trust_clock(&mut self, before: StoreClock) {
        self.store_clock = before;
    }

    /// Brings the ledgers of these licenses up to date. Gives where each license leads, and the time.
    pub(crate) fn catch_up(
        &mut self,
        licenses: &[Which],
    ) -> Result<(Vec<Found>, ClockState), Error> {
        self.not_fenced()?;
        for _ in 0..RELOADS_MAX {
            let asked = self.ledgers.ask(licenses, self.clock.elapsed());
            let news = self.log.catch_up(&asked).map_err(Error::store);
            let news = self.note(news)?;
            self.standing.note_seal(news.sealed_to.as_deref());
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

    /// Takes a turn. When this returns, what `plan` wanted to append is durable. A turn that was not
    /// made is planned again, a few times.
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

    /// Takes a turn, and says how it ended: for callers that can wait for a commit without an answer.
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
                // Not before: waiting for the turn may have taken long.
                let clock = tell(store_clock, machine, &news, corrected.take());
                let News { found, assumed, .. } = &news;
                match plan(Moment { ledgers, found, stamp: &stamp, clock, assumed: *assumed }) {
                    Ok((turn, value)) => {
                        let told = tails.news(&turn.appends);
                        let changes =
                            Changes::of(&turn, ledgers.server(), share, told, machine.elapsed());
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
                // Memory is ahead of a log that went another way, so the next try reads it again.
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

    /// Reads those of these ledgers from the store that are not in memory.
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

    /// The last token that a session retained, as far as memory knows, if this server serves it.
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

    /// A stamp for asking what would be decided, without appending anything.
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

/// Every license once, in order: [`place`] finds them again.
pub(crate) fn distinct<'a>(licenses: impl Iterator<Item = &'a Which>) -> Vec<Which> {
    let mut licenses: Vec<&Which> = licenses.collect();
    licenses.sort_unstable();
    licenses.dedup();
    licenses.into_iter().cloned().collect()
}

/// The place of a license among [`distinct`] ones.
pub(crate) fn place(licenses: &[Which], license: &Which) -> usize {
    licenses.binary_search(license).expect("every license was asked for")
}

/// The error when a ledger never holds still for long enough to be read.
fn restless() -> Error {
    let source = "its history was replaced again and again while it was read".into();
    Error::store(LogError::Unavailable { action: "hold still", source })
}

/// Reads the store's clock. A correction by an administrator is believed, whether it is among the
/// news or in a ledger that was just read (`corrected`).
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
