//! Notices what other processes did though nobody asks: for those who wait for a license, for those
//! who watch a log, and for a serving server.

use std::time::Duration;

use license_core::Head;

use crate::Error;
use crate::log::{Found, Which};
use crate::request::Watch;
use crate::turn::{Role, distinct, place};
use crate::upkeep::RETRY;
use crate::writer::Writer;

/// So often it is looked whether the store has changed.
const POLL: Duration = Duration::from_millis(100);

impl Writer {
    /// When to look again; never where nobody waits for anything.
    pub(crate) fn poll_due(&self) -> Duration {
        let waits = !self.watches.is_empty() || !self.queue.is_empty();
        let due = if waits || self.watches_store() { self.poll_at } else { Duration::MAX };
        let pressed = waits && self.turns.stirred;
        let due = if pressed { Duration::ZERO } else { due };
        due.min(self.queue.due().unwrap_or(Duration::MAX))
    }

    /// Looks whether the store has changed, and tells who waits for that.
    pub(crate) fn poll(&mut self) {
        if self.watches.is_empty() && self.queue.is_empty() {
            self.turns.stirred = false;
            if !self.watches_store() {
                return;
            }
        }
        let elapsed = self.turns.elapsed();
        if !self.turns.stirred && elapsed < self.poll_at {
            return;
        }
        self.poll_at = elapsed + POLL;
        if !self.queue.is_empty() || self.turns.actor.role == Role::Serving {
            // Who died tells nobody that its seats are free.
            self.look();
        }
        let stirred = std::mem::take(&mut self.turns.stirred);
        let changed = self.turns.log.changed().unwrap_or_else(|_| {
            // It may have taken long to find out that the store is away; others wait meanwhile.
            self.poll_at = self.turns.elapsed() + RETRY;
            Some(false)
        });
        if changed == Some(true) && self.turns.actor.role == Role::Serving {
            let _ = self.adopt_local();
        }
        if stirred || changed != Some(false) {
            self.tell_watches();
            self.try_waiters();
        }
    }

    /// Answers everybody who waits that the pool has ended.
    pub(crate) fn dismiss(&mut self) {
        let outcomes = self.queue.waiters().iter().map(|_| Some(Err(Error::Closed))).collect();
        for (write, outcome) in self.queue.answered(outcomes, Duration::ZERO) {
            self.answer(write, outcome);
        }
        for watch in self.watches.drain(..) {
            drop(watch.reply.send(Err(Error::Closed)));
        }
    }

    /// Whether this server looks for what single commands leave to it, where the store can tell that
    /// anything was written.
    fn watches_store(&self) -> bool {
        self.turns.actor.role == Role::Serving && self.turns.tells_changes
    }

    /// Answers those whose log has gone on.
    fn tell_watches(&mut self) {
        self.watches.retain(|watch| !watch.reply.is_closed());
        if self.watches.is_empty() {
            return;
        }
        let licenses = distinct(self.watches.iter().map(|watch| &watch.license));
        let caught_up = self.turns.catch_up(&licenses);
        let watches = std::mem::take(&mut self.watches);
        for watch in watches {
            let head = match &caught_up {
                Ok((found, _)) => {
                    let found = &found[place(&licenses, &watch.license)];
                    self.head(&watch, found)
                }
                Err(error) => Err(error.clone()),
            };
            match head {
                Ok(head) if head.sequence > watch.after => drop(watch.reply.send(Ok(head))),
                Ok(_) => self.watches.push(watch),
                Err(error) if error.is_transient() => self.watches.push(watch),
                Err(error) => drop(watch.reply.send(Err(error))),
            }
        }
    }

    fn head(&mut self, watch: &Watch, found: &Found) -> Result<Head, Error> {
        match (found, &watch.license) {
            // Where nothing is installed yet, something may be.
            (Found::Unknown, Which::Only) if watch.after == 0 => Ok(Head::default()),
            (found, license) => {
                self.turns.ledgers.get(license, found).map(|(_, ledger)| ledger.head())
            }
        }
    }

    /// Takes a turn for those who wait, where one of them would get a license.
    fn try_waiters(&mut self) {
        let writes = self.queue.waiters().iter().map(|waiter| &waiter.write);
        let licenses = distinct(writes.map(|write| &write.license));
        if licenses.is_empty() {
            return;
        }
        let (found, clock) = match self.turns.catch_up(&licenses) {
            Ok(caught_up) => caught_up,
            Err(error) => {
                // Whom this server cannot serve any more need not wait for it.
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
