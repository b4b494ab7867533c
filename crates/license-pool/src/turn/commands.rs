//! The turn of a batch: decides all commands that wait, and tries those in line ([`Turns::write`]).
//! And the answers to reports ([`Turns::read`]).
//!
//! A refusal can be answered *early*, before the turn is durable, since it changes nothing: unless
//! this turn gathered something before it that it may rely on, or the ledgers are only
//! [assumed](Moment::assumed) to be up to date. Those who are refused need not wait for the disk.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use license_core::{Command, Fault, Ledger, Stamp};
use license_types::ProductId;

use super::attempt::{Attempt, Outcome, Stage};
use super::refusals::Refusals;
use super::step::{Gathering, Step};
use super::{Moment, Role, Turned, Turns, distinct, place};
use crate::Error;
use crate::log::{Found, LedgerId, Turn, Which};
use crate::request::{Done, Read, Reply, Write};
use crate::share::Share;

/// What a turn did.
#[derive(Default)]
pub(crate) struct Written {
    /// One for each command, in order.
    pub(crate) outcomes: Vec<Result<Done, Error>>,
    /// One for each request in line; none for those that go on waiting.
    pub(crate) waited: Vec<Option<Outcome>>,
    /// The ledgers in which this server has adopted sessions.
    pub(crate) adopted: Vec<LedgerId>,
}

impl Turns {
    /// Takes one turn for all of `writes` and for those in line. When this returns `Made`, their
    /// outcomes are durable.
    pub(crate) fn write(
        &mut self,
        writes: &mut [Write],
        waiters: &[(&Write, Attempt)],
    ) -> Result<Turned<Written>, Error> {
        let mut refusals = mem::take(&mut self.refusals);
        let written = self.write_noting(writes, waiters, &mut refusals);
        match &written {
            Ok(Turned::Made(_) | Turned::Unknown(_)) => refusals.commit(),
            Ok(Turned::NotMade(..)) | Err(_) => refusals.begin(),
        }
        self.refusals = refusals;
        written
    }

    fn write_noting(
        &mut self,
        writes: &mut [Write],
        waiters: &[(&Write, Attempt)],
        refusals: &mut Refusals,
    ) -> Result<Turned<Written>, Error> {
        let waiting = waiters.iter().map(|(write, _)| *write);
        let licenses = distinct(writes.iter().chain(waiting).map(|write| &write.license));
        let (serving, share) = (self.actor.role == Role::Serving, self.actor.share);
        let elapsed = self.elapsed();
        self.take(&licenses, |moment| {
            refusals.begin();
            let mut batch = Batch {
                moment,
                licenses: &licenses,
                serving,
                share,
                waiters,
                gathering: Gathering::default(),
                refusals,
                elapsed,
                is_early: false,
                written: Written::default(),
            };
            // The places of the commands that may be refused early.
            let mut early = Vec::new();
            batch.written.waited.resize_with(waiters.len(), || None);
            for write in &*writes {
                if let Command::Retain(retain) = &write.command {
                    batch.serve_waiters(Some((&write.license, retain.product)))?;
                }
                let outcome = batch.step(write, |step, id| {
                    step.write(id, &write.command, write.only.as_deref())
                })?;
                if mem::take(&mut batch.is_early) {
                    early.push(batch.written.outcomes.len());
                }
                batch.written.outcomes.push(outcome.flatten());
            }
            batch.serve_waiters(None)?;
            let Batch { moment, gathering, written, .. } = batch;
            for at in early.into_iter().filter(|_| !moment.assumed) {
                if let Err(error @ Error::Refused(_)) = &written.outcomes[at] {
                    mem::replace(&mut writes[at].reply, Reply::Answered).fail(error.clone());
                }
            }
            let appends = gathering.into_appends(moment.ledgers);
            Ok((Turn { appends, ..Turn::default() }, written))
        })
    }

    /// Answers reports from ledgers brought up to date after the requests came in.
    pub(crate) fn read(&mut self, reads: Vec<Read>) {
        let licenses = distinct(reads.iter().map(|read| &read.license));
        let caught_up = self.catch_up(&licenses);
        // If nothing is installed and no license was named, reports are empty.
        let nothing = Ledger::new();
        for Read { license, run } in reads {
            let found = caught_up
                .as_ref()
                .map(|(found, clock)| (&found[place(&licenses, &license)], clock));
            let ledger = match (found, &license) {
                (Ok((Found::Unknown, clock)), Which::Only) => Ok((&nothing, clock.now)),
                (Ok((found, clock)), _) => {
                    self.ledgers.get(&license, found).map(|(_, ledger)| (&*ledger, clock.now))
                }
                (Err(error), _) => Err(error.clone()),
            };
            // A report that panics answers only its own caller with nothing.
            let _ = catch_unwind(AssertUnwindSafe(|| run(ledger)));
        }
    }
}

/// What is decided in one turn, and what it is decided on.
struct Batch<'a> {
    moment: Moment<'a>,
    licenses: &'a [Which],
    serving: bool,
    share: Share,
    waiters: &'a [(&'a Write, Attempt)],
    gathering: Gathering,
    refusals: &'a mut Refusals,
    elapsed: Duration,
    /// Whether the last step was a refusal that may be answered early.
    is_early: bool,
    written: Written,
}

impl Batch<'_> {
    /// Does something in the ledger of a command, in the name of its principal; adopts first what
    /// one-shot commands left there, and notes a refusal afterwards.
    fn step<T>(
        &mut self,
        write: &Write,
        act: impl FnOnce(&mut Step<'_>, LedgerId) -> Result<T, Fault>,
    ) -> Result<Result<T, Error>, Fault> {
        self.is_early = false;
        let found = &self.moment.found[place(self.licenses, &write.license)];
        let (id, ledger) = match self.moment.ledgers.get(&write.license, found) {
            Ok(found) => found,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(error) = self.share.check(id) {
            return Ok(Err(error));
        }
        let (gathered, first) = self.gathering.of(id, ledger);
        let stamp = Stamp { principal: write.principal.clone(), ..self.moment.stamp.clone() };
        let mut step = Step { ledger, stamp: &stamp, clock: self.moment.clock, gathered };
        if self.serving && first && step.adopt_local()? {
            self.written.adopted.push(id);
        }
        let outcome = act(&mut step, id)?;
        if let Some(refused) = step.gathered.refused() {
            self.is_early = !step.gathered.is_founded_upon();
            let (now, principal) = (self.moment.clock.now, write.principal.clone());
            let told = self.refusals.note(id, step.ledger, refused, principal, now, self.elapsed);
            step.tell(told)?;
        } else if let Command::Retain(retain) = &write.command {
            let told = self.refusals.settle(id, step.ledger, retain);
            step.tell(told)?;
        }
        Ok(Ok(outcome))
    }

    /// Tries those in line, in their order: all of them, or `only` those for one product, before a
    /// command for that product is decided.
    fn serve_waiters(&mut self, only: Option<(&Which, ProductId)>) -> Result<(), Fault> {
        let mut none_left: Vec<(&Found, ProductId)> = Vec::new();
        for (at, (write, attempt)) in self.waiters.iter().enumerate() {
            let Command::Retain(retain) = &write.command else { continue };
            let found = self.moment.found;
            let leads = |license| &found[place(self.licenses, license)];
            let sought = (leads(&write.license), retain.product);
            let concerns =
                only.is_none_or(|(license, product)| sought == (leads(license), product));
            // Where one gets none, those behind it would get none either.
            let hopeless = attempt.stage == Stage::Open && none_left.contains(&sought);
            if !concerns || hopeless || self.written.waited[at].is_some() {
                continue;
            }
            let outcome = self.step(write, |step, id| attempt.make(step, id, write))?;
            self.written.waited[at] = outcome.unwrap_or_else(|error| Some(Err(error).into()));
            if self.written.waited[at].is_none() {
                none_left.push(sought);
            }
        }
        Ok(())
    }
}
