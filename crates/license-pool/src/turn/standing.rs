//! How this server stands with its store: whether it can use it, whether it shows there that it lives,
//! and whether its name is still its own.

use std::time::Duration;

use super::{Role, Turns};
use crate::Error;
use crate::log::{LogError, ServerRow, Silence};

impl Turns {
    /// The time that this server has vouched for until now.
    pub(crate) fn vouched(&mut self) -> Duration {
        self.vouched.now(self.clock.elapsed())
    }

    /// The elapsed time at which `vouched` will be reached; never while the store is away.
    pub(crate) fn when(&self, vouched: Duration) -> Duration {
        if self.vouched.is_away() { Duration::MAX } else { self.vouched.when(vouched) }
    }

    /// The error for writes, once a catch-up showed that the store is sealed.
    pub(crate) fn sealed(&self) -> Option<Error> {
        Some(Error::Sealed { target: self.sealed_to.clone()? })
    }

    /// Whether the store was away and is back, since this was last asked.
    pub(crate) fn is_back(&mut self) -> bool {
        std::mem::take(&mut self.back)
    }

    /// Leaves the store: tells what refusals are still to be told, takes a made-up name off the
    /// register, and ends the archivist.
    pub(crate) fn leave(&mut self) {
        self.tell_refusals(true);
        if self.actor.role == Role::Transient && self.actor.share.is_first() {
            // A name that stays on the register does no harm.
            let _ = self.log.leave();
        }
        // A server may hurry, since it archives again at its next start. A one-shot command may not:
        // nobody else ever writes snapshots of a store that no server uses.
        self.archives.end(self.actor.role != Role::Local);
    }

    /// Shows in the register that this server lives, and reads it.
    pub(crate) fn beat(&mut self, silences: &[Silence]) -> Result<Vec<ServerRow>, Error> {
        self.not_fenced()?;
        let began = self.clock.elapsed();
        let rows = self.log.beat(silences).map_err(Error::store);
        self.unshown = rows.as_ref().err().cloned();
        if rows.is_ok() {
            (self.shown, self.mute) = (Some(began), None);
        }
        self.note(rows)
    }

    /// Why the last beat failed, if it did.
    pub(crate) fn unshown(&self) -> Option<&Error> {
        self.unshown.as_ref()
    }

    /// How long ago this server last showed that it lives.
    pub(crate) fn shown_before(&self) -> Duration {
        self.shown.map_or(Duration::MAX, |shown| self.clock.elapsed().saturating_sub(shown))
    }

    /// Whether this server must beat before it hears anybody. A server that takes this one for dead
    /// relies on it: after its last beat, this one heard sessions for a third of its lease at most.
    pub(crate) fn must_show(&self) -> bool {
        self.actor.role != Role::Local && self.shown_before() > self.actor.lease / 3
    }

    /// Hears nobody until a beat succeeds.
    pub(crate) fn mute(&mut self, why: Error) {
        self.mute = Some(why);
    }

    /// Fails while nobody may be heard.
    pub(crate) fn not_mute(&self) -> Result<(), Error> {
        self.mute.clone().map_or(Ok(()), Err)
    }

    /// Notes whether the store could be used.
    pub(super) fn note<T>(&mut self, outcome: Result<T, Error>) -> Result<T, Error> {
        self.note_away(outcome.as_ref().is_err_and(is_away));
        self.note_fenced(outcome)
    }

    /// Notes whether another took this server's name.
    pub(super) fn note_fenced<T>(&mut self, outcome: Result<T, Error>) -> Result<T, Error> {
        if self.fenced.is_none()
            && let Err(error @ Error::Fenced(_)) = &outcome
        {
            self.fenced = Some(error.clone());
            self.bell.ring(|alarms| alarms.fenced = true);
        }
        outcome
    }

    /// Whether another took this server's name.
    pub(crate) fn is_fenced(&self) -> bool {
        self.fenced.is_some()
    }

    /// Fails once another took this server's name. That is final, even if the store goes back to
    /// before it happened: this pool no longer looks after its leases.
    pub(super) fn not_fenced(&self) -> Result<(), Error> {
        self.fenced.clone().map_or(Ok(()), Err)
    }

    /// Notes whether the store is away: such time is not vouched for.
    pub(super) fn note_away(&mut self, away: bool) {
        self.vouched.now(self.clock.elapsed());
        // A server that cannot beat will soon hear nobody, even if it can still read.
        let usable = !away && self.unshown.is_none();
        self.back |= self.vouched.note(usable);
    }
}

/// Whether an error means that the store cannot be used at all.
pub(super) fn is_away(error: &Error) -> bool {
    match error {
        // The store answered, so it is not away.
        Error::StoreUnavailable(error) => !matches!(**error, LogError::Alive { .. }),
        Error::StoreBusy(_) | Error::OutcomeUnknown(_) => true,
        _ => false,
    }
}
