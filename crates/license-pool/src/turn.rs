//! One turn after the other: catch up, decide everything that waits, seal, apply, append, commit.
//! A turn that fails leaves nothing behind, in the store or in memory.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use license_core::{Command, Fault, Ledger, Outcome, Stamp, decide};
use license_types::{Batch, ServerName};

use crate::ledgers::Ledgers;
use crate::log::{Append, Found, LedgerId, Log, LogError, Mark, News, Turn, TurnError, Which};
use crate::request::{Done, Installation, Read, Write};
use crate::step::{Gathered, Step};
use crate::{Clock, Error};

/// So often a turn is taken again because a ledger had to be read from its start first.
const RELOADS_MAX: usize = 8;

/// Who acts in the name of which server.
pub(crate) struct Actor {
    pub(crate) server: Arc<ServerName>,
    pub(crate) epoch: u64,
    /// Random; with the number of the turn it makes a batch id that nobody else makes.
    pub(crate) instance: String,
    /// Whether the name was made up for this pool alone.
    pub(crate) transient: bool,
}

pub(crate) struct Turns {
    log: Box<dyn Log>,
    clock: Arc<dyn Clock>,
    actor: Actor,
    ledgers: Ledgers,
    taken: u64,
}

impl Turns {
    pub(crate) fn new(
        log: Box<dyn Log>,
        clock: Arc<dyn Clock>,
        actor: Actor,
        loaded_max: usize,
    ) -> Turns {
        let ledgers = Ledgers::new(actor.server.clone(), loaded_max);
        Turns { log, clock, actor, ledgers, taken: 0 }
    }

    /// The time that passed, by a clock that nobody can set.
    pub(crate) fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    pub(crate) fn log(&mut self) -> &mut dyn Log {
        &mut *self.log
    }

    /// Gives back the server's name where nobody else will ever take it.
    pub(crate) fn leave(&mut self) {
        if self.actor.transient {
            // A name that stays on the register does no harm.
            let _ = self.log.leave();
        }
    }

    /// Takes one turn for all of `writes`; one outcome each, once they are durable.
    pub(crate) fn write(&mut self, writes: &[Write]) -> Result<Vec<Result<Done, Error>>, Error> {
        let licenses = distinct(writes.iter().map(|write| &write.license));
        self.turn(&licenses, |ledgers, found, stamp, now| {
            let mut gathered: BTreeMap<LedgerId, Gathered> = BTreeMap::new();
            let mut outcomes = Vec::with_capacity(writes.len());
            for write in writes {
                let found = &found[place(&licenses, &write.license)];
                outcomes.push(match ledgers.get(&write.license, found) {
                    Ok((id, ledger)) => {
                        let stamp = Stamp { principal: write.principal.clone(), ..stamp.clone() };
                        let gathered = gathered.entry(id).or_insert_with(|| Gathered::new(ledger));
                        Step { ledger, stamp: &stamp, now, gathered }.write(id, &write.command)?
                    }
                    Err(error) => Err(error),
                });
            }
            let append = |(id, gathered): (LedgerId, Gathered)| {
                gathered.into_append(Some(id), ledgers.sound_mut(id)?)
            };
            let appends = gathered.into_iter().filter_map(append).collect();
            Ok((Turn { appends, ends: Vec::new() }, outcomes))
        })
    }

    /// Installs a license, in a turn of its own: which ledger that concerns shows only then.
    pub(crate) fn install(&mut self, installation: Installation) {
        let Installation { principal, install, dry_run, reply } = installation;
        let number: Arc<str> = install.license.number().into();
        let mut licenses = vec![Which::Number(number.clone())];
        licenses.extend(install.replaces.as_deref().map(|number| Which::Number(number.into())));
        let command = Command::Install(install);
        let receipt = self.turn(&licenses, |ledgers, found, stamp, now| {
            let mut fresh = Ledger::new();
            let continued = match continued(&licenses, found) {
                Ok(continued) => continued,
                Err(error) => return Ok((Turn::default(), Err(error))),
            };
            let (id, ledger) = match continued.map(|at| ledgers.get(&licenses[at], &found[at])) {
                Some(Ok((id, ledger))) => (Some(id), ledger),
                Some(Err(error)) => return Ok((Turn::default(), Err(error))),
                None => (None, &mut fresh),
            };
            let verdict = match decide(ledger, &command, stamp, now) {
                Ok(verdict) => verdict,
                Err(refusal) => return Ok((Turn::default(), Err(Error::Refused(refusal)))),
            };
            let mut gathered = Gathered::new(ledger);
            if !dry_run {
                let stamp = Stamp { principal: principal.clone(), ..stamp.clone() };
                let mut step = Step { ledger, stamp: &stamp, now, gathered: &mut gathered };
                verdict.events.into_iter().try_for_each(|event| step.append(event))?;
            }
            let append = gathered.into_append(id, ledger);
            let append = append.map(|append| Append { number: Some(number.clone()), ..append });
            let turn = Turn { appends: append.into_iter().collect(), ends: Vec::new() };
            match verdict.outcome {
                Outcome::Installed(receipt) => Ok((turn, Ok(receipt))),
                Outcome::Granted { .. } | Outcome::Renewed | Outcome::Released => {
                    unreachable!("an install command installs")
                }
            }
        });
        reply(receipt.flatten());
    }

    /// Answers reports from ledgers brought up to date after the requests came in.
    pub(crate) fn read(&mut self, reads: Vec<Read>) {
        let licenses = distinct(reads.iter().map(|read| &read.license));
        let found = self.catch_up(&licenses);
        let now = self.clock.now();
        // Where nothing is installed, and none was named, the reports are empty.
        let nothing = Ledger::new();
        for Read { license, run } in reads {
            let found = found.as_ref().map(|found| &found[place(&licenses, &license)]);
            let ledger = match (found, &license) {
                (Ok(Found::Unknown), Which::Only) => Ok(&nothing),
                (Ok(found), _) => self.ledgers.get(&license, found).map(|(_, ledger)| &*ledger),
                (Err(error), _) => Err(error.clone()),
            };
            // Who asked for a report that panics gets no answer; the others do.
            let _ = catch_unwind(AssertUnwindSafe(|| run(ledger, now)));
        }
    }

    fn catch_up(&mut self, licenses: &[Which]) -> Result<Vec<Found>, Error> {
        for _ in 0..RELOADS_MAX {
            let asked = self.ledgers.ask(licenses, self.clock.elapsed());
            let news = self.log.catch_up(&asked).map_err(Error::store)?;
            match self.ledgers.absorb(&asked, &news) {
                Ok(()) => return Ok(news.found),
                Err(stale) => self.reload(stale)?,
            }
        }
        Err(restless())
    }

    /// Takes a turn: what `plan` says is appended and durable when its value comes back.
    fn turn<T>(
        &mut self,
        licenses: &[Which],
        mut plan: impl FnMut(&mut Ledgers, &[Found], &Stamp, Timestamp) -> Plan<T>,
    ) -> Result<T, Error> {
        for _ in 0..RELOADS_MAX {
            let stamp = self.stamp();
            let asked = self.ledgers.ask(licenses, self.clock.elapsed());
            let (mut stale, mut planned, mut mark) = (Vec::new(), None, None);
            let (log, ledgers, clock) = (&mut self.log, &mut self.ledgers, &self.clock);
            let mut decide = |news: News| {
                if let Err(ids) = ledgers.absorb(&asked, &news) {
                    stale = ids;
                    return Turn::default();
                }
                // Only now: it may have taken long until it was this turn's turn.
                match plan(ledgers, &news.found, &stamp, clock.now()) {
                    Ok((turn, value)) => {
                        mark = turn.appends.first().and_then(Mark::of);
                        planned = Some(Ok(value));
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
                Ok(Ok(())) => planned.unwrap_or(Err(Error::Internal(None))),
                Ok(Err(TurnError::Dropped(error))) => Err(Error::store(error)),
                Ok(Err(TurnError::Unknown(error))) => match mark.map(|mark| self.log.landed(&mark))
                {
                    Some(Ok(true)) => planned.unwrap_or(Err(Error::Internal(None))),
                    Some(Ok(false)) => Err(Error::store(error)),
                    Some(Err(_)) | None => Err(Error::OutcomeUnknown(Arc::new(error))),
                },
                Err(_panic) => {
                    self.ledgers.forget();
                    Err(Error::Internal(None))
                }
            };
        }
        Err(restless())
    }

    fn reload(&mut self, stale: Vec<LedgerId>) -> Result<(), Error> {
        for id in stale {
            self.ledgers.reload(&mut *self.log, id).map_err(Error::store)?;
        }
        Ok(())
    }

    fn stamp(&mut self) -> Stamp {
        self.taken += 1;
        let batch = format!("{}{:016x}", self.actor.instance, self.taken);
        Stamp {
            server: self.actor.server.clone(),
            epoch: self.actor.epoch,
            batch: Arc::new(Batch::new(batch).expect("32 hexadecimal digits")),
            principal: None,
        }
    }
}

/// What to change and what to answer then; or the entry of our own that broke a ledger.
type Plan<T> = Result<(Turn, T), Fault>;

/// The license of the two that an installation continues, by its place; none where it is new.
fn continued(licenses: &[Which], found: &[Found]) -> Result<Option<usize>, Error> {
    match (licenses, found) {
        (_, [Found::Ledger(_)]) => Ok(Some(0)),
        (
            [Which::Number(number), Which::Number(replaces)],
            [Found::Ledger(own), Found::Ledger(other)],
        ) if own != other => {
            Err(Error::NumberTaken { number: number.to_string(), replaces: replaces.to_string() })
        }
        (_, [_, _]) => Ok(Some(1)),
        _ => Ok(None),
    }
}

fn distinct<'a>(licenses: impl Iterator<Item = &'a Which>) -> Vec<Which> {
    let mut licenses: Vec<&Which> = licenses.collect();
    licenses.sort_unstable();
    licenses.dedup();
    licenses.into_iter().cloned().collect()
}

fn place(licenses: &[Which], license: &Which) -> usize {
    licenses.binary_search(license).expect("every license was asked for")
}

/// A ledger was replaced again and again while it was read.
fn restless() -> Error {
    let source = "its history was replaced again and again while it was read".into();
    Error::store(LogError::Unavailable { action: "hold still", source })
}
