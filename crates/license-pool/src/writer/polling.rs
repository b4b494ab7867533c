//! Looks every now and then whether others wrote to the store: for those who wait in line for a
//! license, for those who watch or follow a log, and for what one-shot commands leave to a server.
//! While nobody waits for anything, nothing is polled.

use std::mem;
use std::time::Duration;

use license_core::{Head, Refusal};

use super::Writer;
use super::upkeep::RETRY;
use crate::Error;
use crate::log::{Found, LedgerId, Which};
use crate::request::{Awaits, Watch};
use crate::turn::{Role, distinct, place};

/// How often to look whether the store has changed.
const POLL: Duration = Duration::from_millis(100);

impl Writer {
    /// The elapsed time at which to poll next; never if nobody waits for anything.
    pub(crate) fn poll_due(&self) -> Duration {
        let polls = self.waits() || !self.turns.tails.is_empty() || self.watches_store();
        let due = if polls { self.poll_at } else { Duration::MAX };
        let pressed = self.waits() && self.turns.stirred;
        let due = if pressed { Duration::ZERO } else { due };
        due.min(self.queue.due().unwrap_or(Duration::MAX))
    }

    /// Looks whether the store has changed, and tells who waits for that.
    pub(crate) fn poll(&mut self) {
        self.turns.tails.tell();
        let mut stirred = mem::take(&mut self.turns.stirred) && self.waits();
        if !self.waits() && self.turns.tails.is_empty() && !self.watches_store() {
            return;
        }
        let elapsed = self.turns.elapsed();
        if !stirred && elapsed < self.poll_at {
            return;
        }
        if self.poll_at <= elapsed {
            self.turns.tails.end_unasked();
        }
        self.poll_at = elapsed + POLL;
        if !self.queue.is_empty() || self.turns.actor.role == Role::Serving {
            // A server that dies tells nobody that its seats are free.
            self.look();
        }
        stirred |= mem::take(&mut self.turns.stirred) && self.waits();
        let changed = self.turns.log.changed().unwrap_or_else(|_| {
            // Finding out that the store is away may take long, and others wait meanwhile.
            self.poll_at = self.turns.elapsed() + RETRY;
            Some(false)
        });
        if changed == Some(true) && self.turns.actor.role == Role::Serving {
            let _ = self.adopt_local();
        }
        if changed != Some(false) {
            self.follow();
        }
        if stirred || changed != Some(false) {
            self.tell_watches();
            self.try_waiters();
        }
        self.turns.tails.tell();
    }

    /// Whether anybody waits for something that only a look at the store shows.
    fn waits(&self) -> bool {
        !self.watches.is_empty() || !self.queue.is_empty()
    }

    /// Answers all who wait that the pool is closed.
    pub(crate) fn dismiss(&mut self) {
        let outcomes =
            self.queue.waiters().iter().map(|_| Some(Err(Error::Closed).into())).collect();
        for (write, outcome) in self.queue.answered(outcomes, Duration::ZERO) {
            self.answer(write, outcome);
        }
        self.turns.refusals.owe(self.queue.end());
        for watch in self.watches.drain(..) {
            watch.awaits.fail(Error::Closed);
        }
    }

    /// Whether this server polls for what one-shot commands leave to it. It does if the store can tell
    /// cheaply that anything was written.
    fn watches_store(&self) -> bool {
        self.turns.actor.role == Role::Serving && self.turns.tells_changes
    }

    /// Reads what others appended to the logs that are followed.
    fn follow(&mut self) {
        let followed: Vec<LedgerId> = self.turns.tails.ids().collect();
        let mut licenses = Vec::with_capacity(followed.len());
        for id in followed {
            if let Some(license) = self.turns.license(id) {
                // Callers may have asked for it by another number; this one leads to it too, and
                // noting that saves reading it anew.
                self.turns.ledgers.lead(license.clone(), id);
                licenses.push(license);
            }
        }
        let licenses = distinct(licenses.iter());
        let caught_up = match licenses.is_empty() {
            true => Ok(Vec::new()),
            false => self.turns.catch_up(&licenses).map(|(found, _)| found),
        };
        // The tails of logs that could not be read end; their followers have to ask again.
        let known: Vec<LedgerId> = caught_up.iter().flatten().filter_map(Found::ledger).collect();
        self.turns.tails.keep_only(|id| known.contains(&id));
    }

    /// Answers those whose log has gone on.
    fn tell_watches(&mut self) {
        self.watches.retain(|watch| !watch.awaits.is_gone());
        if self.watches.is_empty() {
            return;
        }
        let licenses = distinct(self.watches.iter().map(|watch| &watch.license));
        let caught_up = self.turns.catch_up(&licenses);
        for Watch { license, awaits } in mem::take(&mut self.watches) {
            let head = match &caught_up {
                Ok((found, _)) => self.head(&license, &found[place(&licenses, &license)]),
                Err(error) => Err(error.clone()),
            };
            match (head, awaits) {
                (Ok(Some((_, head))), Awaits::Head { after, reply }) if head.sequence > after => {
                    drop(reply.send(Ok(head)));
                }
                (Ok(Some((id, head))), Awaits::Tail(reply)) => {
                    drop(reply.send(Ok(self.turns.tails.of(id, head))));
                }
                (Ok(None), awaits @ Awaits::Head { after: 1.., .. }) => {
                    // There was a log, and now there is no license: it was uninstalled.
                    awaits.fail(Error::Refused(Refusal::UnknownLicense { number: None }));
                }
                (Ok(_), awaits) => self.watches.push(Watch { license, awaits }),
                (Err(error), awaits) if error.is_transient() => {
                    self.watches.push(Watch { license, awaits });
                }
                (Err(error), awaits) => awaits.fail(error),
            }
        }
    }

    /// Where the log of a license ends; none if nothing is installed and no license was named.
    fn head(&mut self, license: &Which, found: &Found) -> Result<Option<(LedgerId, Head)>, Error> {
        match (found, license) {
            (Found::Unknown, Which::Only) => Ok(None),
            (found, license) => {
                let (id, ledger) = self.turns.ledgers.get(license, found)?;
                Ok(Some((id, ledger.head())))
            }
        }
    }

    /// Takes a turn for those in line, if trying could end the wait of one of them.
    fn try_waiters(&mut self) {
        let writes = self.queue.waiters().iter().map(|waiter| &waiter.write);
        let licenses = distinct(writes.map(|write| &write.license));
        if licenses.is_empty() {
            return;
        }
        let (found, clock) = match self.turns.catch_up(&licenses) {
            Ok(caught_up) => caught_up,
            Err(error) => {
                // If this server cannot serve them any more, a turn that fails tells them so.
                if !error.is_transient() {
                    self.write(Vec::new());
                }
                return;
            }
        };
        let hopes = self.queue.waiters().iter().any(|waiter| {
            let found = &found[place(&licenses, &waiter.write.license)];
            let ledger = self.turns.ledgers.get(&waiter.write.license, found);
            ledger.is_ok_and(|(_, ledger)| waiter.hopes(ledger, clock.now))
        });
        if hopes {
            self.write(Vec::new());
        }
    }
}
