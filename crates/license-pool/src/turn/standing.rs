//! How this server stands with its store: whether it can use it, whether it shows there that it lives,
//! and whether its name is still its own.

use std::time::Duration;

use super::vouched::{Vouched, VouchedTime};
use super::{Role, Turns};
use crate::Error;
use crate::log::{LogError, ServerRow, Silence};

/// How this server stands with its store.
pub(super) struct Standing {
    vouched: Vouched,
    /// The store that replaced this one, if the last catch-up said so.
    sealed_to: Option<String>,
    /// Whether the store came back after it was away, and nobody has asked for that yet.
    back: bool,
    /// Set once another process has this server's name: nothing is left to be done.
    fenced: Option<Error>,
    /// When the last beat that succeeded began.
    shown: Option<Duration>,
    /// Why the last beat failed, if it did.
    unshown: Option<Error>,
    /// Why this server may hear nobody: it is overdue to show that it lives, and cannot.
    mute: Option<Error>,
}

impl Standing {
    pub(super) fn new(vouched: Vouched) -> Standing {
        Standing {
            vouched,
            sealed_to: None,
            back: false,
            fenced: None,
            shown: None,
            unshown: None,
            mute: None,
        }
    }

    /// Notes what a catch-up said of the seal.
    pub(super) fn note_seal(&mut self, sealed_to: Option<&str>) {
        self.sealed_to = sealed_to.map(str::to_owned);
    }
}

impl Turns {
    /// The time that this server has vouched for until now.
    pub(crate) fn vouched(&mut self) -> VouchedTime {
        self.standing.vouched.now(self.clock.elapsed())
    }

    /// The elapsed time at which this instant will be reached; never while the store is away.
    pub(crate) fn when(&self, then: VouchedTime) -> Duration {
        if self.standing.vouched.is_away() {
            Duration::MAX
        } else {
            self.standing.vouched.when(then)
        }
    }

    /// The error for writes, once a catch-up showed that the store is sealed.
    pub(crate) fn sealed(&self) -> Option<Error> {
        Some(Error::Sealed { target: self.standing.sealed_to.clone()? })
    }

    /// The store that replaced this one, if this one is sealed.
    pub(crate) fn successor(&mut self) -> Result<Option<String>, Error> {
        self.clock_state()?;
        Ok(self.standing.sealed_to.clone())
    }

    /// Whether the store was away and is back, since this was last asked.
    pub(crate) fn is_back(&mut self) -> bool {
        std::mem::take(&mut self.standing.back)
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
        self.standing.unshown = rows.as_ref().err().cloned();
        if rows.is_ok() {
            (self.standing.shown, self.standing.mute) = (Some(began), None);
        }
        self.note(rows)
    }

    /// Why the last beat failed, if it did.
    pub(crate) fn unshown(&self) -> Option<&Error> {
        self.standing.unshown.as_ref()
    }

    /// How long ago this server last showed that it lives.
    pub(crate) fn shown_before(&self) -> Duration {
        let shown = self.standing.shown;
        shown.map_or(Duration::MAX, |shown| self.clock.elapsed().saturating_sub(shown))
    }

    /// Whether this server must beat before it hears anybody. A server that takes this one for dead
    /// relies on it: after its last beat, this one heard sessions for a third of its lease at most.
    pub(crate) fn must_show(&self) -> bool {
        self.actor.role != Role::Local && self.shown_before() > self.actor.lease / 3
    }

    /// Hears nobody until a beat succeeds.
    pub(crate) fn mute(&mut self, why: Error) {
        self.standing.mute = Some(why);
    }

    /// Fails while nobody may be heard.
    pub(crate) fn not_mute(&self) -> Result<(), Error> {
        self.standing.mute.clone().map_or(Ok(()), Err)
    }

    /// Notes whether the store could be used.
    pub(super) fn note<T>(&mut self, outcome: Result<T, Error>) -> Result<T, Error> {
        self.note_away(outcome.as_ref().is_err_and(is_away));
        self.note_fenced(outcome)
    }

    /// Notes whether another took this server's name.
    pub(super) fn note_fenced<T>(&mut self, outcome: Result<T, Error>) -> Result<T, Error> {
        if self.standing.fenced.is_none()
            && let Err(error @ Error::Fenced(_)) = &outcome
        {
            self.standing.fenced = Some(error.clone());
            self.bell.ring(|alarms| alarms.fenced = true);
        }
        outcome
    }

    /// Whether another took this server's name.
    pub(crate) fn is_fenced(&self) -> bool {
        self.standing.fenced.is_some()
    }

    /// Fails once another took this server's name. That is final, even if the store goes back to
    /// before it happened: this pool no longer looks after its leases.
    pub(super) fn not_fenced(&self) -> Result<(), Error> {
        self.standing.fenced.clone().map_or(Ok(()), Err)
    }

    /// Notes whether the store is away: such time is not vouched for.
    pub(super) fn note_away(&mut self, away: bool) {
        self.standing.vouched.now(self.clock.elapsed());
        // A server that cannot beat will soon hear nobody, even if it can still read.
        let usable = !away && self.standing.unshown.is_none();
        self.standing.back |= self.standing.vouched.note(usable);
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
