//! One attempt, in a turn, to grant a license to somebody who waits in line for it.

use std::time::Duration;

use license_core::{Fault, Refusal};

use super::refusals::Owed;
use super::step::Step;
use crate::Error;
use crate::log::LedgerId;
use crate::request::{Done, Write};

/// How a request that waits is tried in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) stage: Stage,
    /// How long its session waited until now.
    pub(crate) waited: Duration,
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is new; it goes on waiting unless there is a license.
    First,
    /// It goes on waiting unless there is a license.
    Open,
    /// Its wait has ended: it is granted a license now, or refused.
    Last,
    /// Its caller has gone: nothing is granted.
    Gone,
}

/// What became of a request that waited.
pub(crate) struct Outcome {
    pub(crate) answer: Result<Done, Error>,
    /// The refusal that is to be recorded once the place is lost.
    pub(crate) owed: Option<Owed>,
}

impl Attempt {
    /// Tries once; none if the wait goes on.
    pub(super) fn make(
        self,
        step: &mut Step<'_>,
        id: LedgerId,
        write: &Write,
    ) -> Result<Option<Outcome>, Fault> {
        let error = match (step.judge(&write.command), self.stage) {
            (Ok(_), Stage::Gone) => return Ok(Some(Err(Error::Closed).into())),
            (Ok(verdict), Stage::First | Stage::Open | Stage::Last) => {
                return step.carry_out(id, verdict).map(|done| Some(Ok(done).into()));
            }
            (Err(error), _) => error,
        };
        let none_left = matches!(error, Error::Refused(Refusal::NoLicenseLeft { .. }));
        if none_left && self.stage.goes_on() {
            return Ok(None);
        }
        let waits = self.stage != Stage::First || !self.waited.is_zero();
        let waited = waits.then_some(self.waited.as_secs());
        let answer = Err(step.refuse(&write.command, error, waited));
        // The session may ask again in time, so this refusal is owed and not noted yet.
        let refused = if none_left { step.gathered.refused() } else { None };
        let Write { license, principal, .. } = write;
        let owed = refused.map(|refused| {
            let (license, principal) = (license.clone(), principal.clone());
            Owed { license, principal, refused }
        });
        Ok(Some(Outcome { answer, owed }))
    }
}

impl From<Result<Done, Error>> for Outcome {
    fn from(answer: Result<Done, Error>) -> Outcome {
        Outcome { answer, owed: None }
    }
}

impl Stage {
    /// Whether the wait goes on where there is no license.
    pub(crate) fn goes_on(self) -> bool {
        match self {
            Stage::First | Stage::Open => true,
            Stage::Last | Stage::Gone => false,
        }
    }
}
