//! How this server stands with its store: whether it can use it, whether it shows there that it lives,
//! and whether its name is still its own.

use std::time::Duration;

use super::{Role, Turns};
use crate::Error;
use crate::log::{LogError, ServerRow, Silence};

impl Turns {
    /// The time that this server vouches for.
    pub(crate) fn vouched(&mut self) -> Duration {
        self.vouched.now(self.clock.elapsed())
    }

    /// When that much time will have been vouched for; never while the store is away.
    pub(crate) fn when(&self, vouched: Duration) -> Duration {
        if self.vouched.is_away() { Duration::MAX } else { self.vouched.when(vouched) }
    }

    /// Why nothing is left but to read, where a catch-up showed that.
    pub(crate) fn sealed(&self) -> Option<Error> {
        Some(Error::Sealed { target: self.sealed_to.clone()? })
    }

    /// Whether the store was away and is back, since this was last asked.
    pub(crate) fn is_back(&mut self) -> bool {
        std::mem::take(&mut self.back)
    }

    /// Gives back the server's name where nobody else will ever take it.
    pub(crate) fn leave(&mut self) {
        self.tell_refusals(true);
        if self.actor.role == Role::Transient && self.actor.share.is_first() {
            // A name that stays on the register does no harm.
            let _ = self.log.leave();
        }
        // A single command is the only one that ever writes snapshots of a log that no server uses.
        self.archives.end(self.actor.role != Role::Local);
    }

    /// Shows that this server lives, and reads the register.
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

    /// Why this server could not show that it lives when it last tried to.
    pub(crate) fn unshown(&self) -> Option<&Error> {
        self.unshown.as_ref()
    }

    /// How long ago this server last showed that it lives.
    pub(crate) fn shown_before(&self) -> Duration {
        self.shown.map_or(Duration::MAX, |shown| self.clock.elapsed().saturating_sub(shown))
    }

    /// Whether this server must show that it lives before it hears anybody. Whoever takes it for dead
    /// relies on that it heard nobody later than a third of its lease after its last beat.
    pub(crate) fn must_show(&self) -> bool {
        self.actor.role != Role::Local && self.shown_before() > self.actor.lease / 3
    }

    /// Hears nobody until this server has shown that it lives, which failed.
    pub(crate) fn mute(&mut self, why: Error) {
        self.mute = Some(why);
    }

    /// Fails where nobody can be heard.
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

    /// Fails once another took this server's name, also where the store went back since to when it
    /// had not: nobody keeps up here any more.
    pub(super) fn not_fenced(&self) -> Result<(), Error> {
        self.fenced.clone().map_or(Ok(()), Err)
    }

    pub(super) fn note_away(&mut self, away: bool) {
        self.vouched.now(self.clock.elapsed());
        // Who cannot show that it lives hears nobody before long, though it may read.
        let usable = !away && self.unshown.is_none();
        self.back |= self.vouched.note(usable);
    }
}

pub(super) fn is_away(error: &Error) -> bool {
    match error {
        // A store that knows better is there.
        Error::StoreUnavailable(error) => !matches!(**error, LogError::Alive { .. }),
        Error::StoreBusy(_) | Error::OutcomeUnknown(_) => true,
        _ => false,
    }
}
