//! How a turn ended, and what becomes of one whose commit got no answer.

use std::sync::Arc;

use super::Turns;
use crate::Error;
use crate::log::{LogError, Mark};

/// How a turn ended.
pub(crate) enum Turned<T> {
    /// All of it is durable.
    Made(T),
    /// Its commit got no answer, and was not made: nothing of it is durable.
    NotMade(T, LogError),
    /// Its commit got no answer, and the store does not tell now what became of it.
    Unknown(Unknown<T>),
}

/// A turn of which nobody knows whether it was made.
pub(crate) struct Unknown<T> {
    /// What to answer if it was.
    pub(super) value: T,
    pub(super) mark: Mark,
    pub(super) error: LogError,
}

impl<T> Unknown<T> {
    /// What to answer when that must be answered now.
    pub(crate) fn error(self) -> Error {
        Error::OutcomeUnknown(Arc::new(self.error))
    }
}

impl Turns {
    /// Looks again whether a turn was made.
    pub(crate) fn decide<T>(&mut self, unknown: Unknown<T>) -> Result<Turned<T>, Error> {
        let Unknown { value, mark, error } = unknown;
        Ok(match self.log.landed(&mark) {
            Ok(true) => Turned::Made(value),
            Ok(false) => Turned::NotMade(value, error),
            Err(fenced @ LogError::Fenced { .. }) => {
                return self.note_fenced(Err(Error::store(fenced)));
            }
            Err(_) => Turned::Unknown(Unknown { value, mark, error }),
        })
    }
}
