//! Notices what other processes did though nobody asks: for those who wait for a license, for those
//! who watch a log, and for a serving server.

use std::time::Duration;

use crate::Error;
use crate::log::{Found, LedgerId, Which};
use crate::request::Watch;
use crate::tail::Followed;
use crate::turn::{Role, Turns, distinct, place};
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
        let mut asks = self.tell_from_memory();
        if !asks && elapsed < self.poll_at {
            return;
        }
        self.poll_at = elapsed + POLL;
        if !self.queue.is_empty() || self.turns.actor.role == Role::Serving {
            // Who died tells nobody that its seats are free.
            self.look();
        }
        asks |= self.tell_from_memory();
        let changed = self.turns.log.changed().unwrap_or_else(|_| {
            // It may have taken long to find out that the store is away; others wait meanwhile.
            self.poll_at = self.turns.elapsed() + RETRY;
            Some(false)
        });
        if changed == Some(true) && self.turns.actor.role == Role::Serving {
            let _ = self.adopt_local();
        }
        if asks || changed != Some(false) {
            let known = self.tell_watches();
            if changed != Some(false) {
                self.turns.tails.keep_only(&known);
            }
            self.try_waiters();
        }
    }

    /// Answers everybody who waits that the pool has ended.
    pub(crate) fn dismiss(&mut self) {
        let outcomes =
            self.queue.waiters().iter().map(|_| Some(Err(Error::Closed).into())).collect();
        for (write, outcome) in self.queue.answered(outcomes, Duration::ZERO) {
            self.answer(write, outcome);
        }
        self.turns.refusals.owe(self.queue.lapsed(Duration::MAX));
        for watch in self.watches.drain(..) {
            drop(watch.reply.send(Err(Error::Closed)));
        }
    }

    /// Whether this server looks for what single commands leave to it, where the store can tell that
    /// anything was written.
    fn watches_store(&self) -> bool {
        self.turns.actor.role == Role::Serving && self.turns.tells_changes
    }

    /// Answers those whose log this pool made go on, without the store; says whether there are others
    /// for whom it must be looked.
    fn tell_from_memory(&mut self) -> bool {
        if !std::mem::take(&mut self.turns.stirred) {
            return false;
        }
        self.watches.retain(|watch| !watch.reply.is_closed());
        let mut others = !self.queue.is_empty();
        for watch in std::mem::take(&mut self.watches) {
            match self.turns.followed(&watch) {
                Some(followed) if followed.head.sequence > watch.after => {
                    drop(watch.reply.send(Ok(followed)));
                }
                followed => {
                    others |= followed.is_none();
                    self.watches.push(watch);
                }
            }
        }
        others
    }

    /// Answers those whose log has gone on, once it is up to date; gives the ledgers that are.
    fn tell_watches(&mut self) -> Vec<LedgerId> {
        self.watches.retain(|watch| !watch.reply.is_closed());
        let licenses = distinct(self.watches.iter().map(|watch| &watch.license));
        if licenses.is_empty() {
            return Vec::new();
        }
        let caught_up = self.turns.catch_up(&licenses).map(|(found, _)| found);
        for watch in std::mem::take(&mut self.watches) {
            let followed = match &caught_up {
                Ok(found) => {
                    let found = &found[place(&licenses, &watch.license)];
                    self.follow(&watch, found)
                }
                Err(error) => Err(error.clone()),
            };
            match followed {
                Ok(followed) if followed.head.sequence > watch.after => {
                    drop(watch.reply.send(Ok(followed)));
                }
                Ok(_) => self.watches.push(watch),
                Err(error) if error.is_transient() => self.watches.push(watch),
                Err(error) => drop(watch.reply.send(Err(error))),
            }
        }
        caught_up.iter().flatten().filter_map(Found::ledger).collect()
    }

    /// What follows in a log that is up to date, and is kept in memory from now on if it is told
    /// from there.
    fn follow(&mut self, watch: &Watch, found: &Found) -> Result<Followed, Error> {
        let (id, head) = match (found, &watch.license) {
            // Where nothing is installed yet, something may be.
            (Found::Unknown, Which::Only) if watch.after == 0 => return Ok(Followed::default()),
            (found, license) => {
                let (id, ledger) = self.turns.ledgers.get(license, found)?;
                (id, ledger.head())
            }
        };
        if watch.limit > 0 {
            self.turns.tails.begin(id, head);
        }
        let followed = self.turns.tails.after(id, watch.after, watch.limit);
        Ok(followed.unwrap_or(Followed { head, lines: Vec::new() }))
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

impl Turns {
    /// What follows the sequence beyond which a log is watched, where that is known without the store.
    fn followed(&mut self, watch: &Watch) -> Option<Followed> {
        let id = self.ledgers.lead_of(&watch.license)?;
        self.ledgers.sound(id)?;
        self.tails.after(id, watch.after, watch.limit)
    }
}
