//! How a turn ended: what follows from one that was made, and what becomes of one whose commit got no
//! answer.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use license_types::ServerName;

use super::Turns;
use crate::log::{LedgerId, LogError, Mark, Turn};
use crate::share::Share;
use crate::{Error, tail};

/// How a turn ended.
pub(crate) enum Turned<T> {
    /// All of it is durable.
    Made(T),
    /// Its commit got no answer, and turned out not to have happened: nothing of it is durable.
    NotMade(T, LogError),
    /// Its commit got no answer, and the store cannot tell yet what became of it.
    Unknown(Unknown<T>),
}

/// A turn of which nobody knows whether it was made.
pub(crate) struct Unknown<T> {
    /// What to answer if it was made.
    pub(super) value: T,
    pub(super) mark: Mark,
    pub(super) error: LogError,
}

impl<T> Unknown<T> {
    /// What to answer when the caller can wait no longer.
    pub(crate) fn error(self) -> Error {
        Error::OutcomeUnknown(Arc::new(self.error))
    }
}

/// What a turn changes, as far as memory must know of it once it is durable.
pub(super) struct Changes {
    /// The first entry; none if nothing is appended.
    pub(super) mark: Option<Mark>,
    /// The ledgers that are appended to, but for new ones.
    pub(super) ledgers: Vec<LedgerId>,
    /// Those of them that the store lists from now on as served by this server. Only the writer whose
    /// share a ledger is takes it off that list again, so for others it is not noted.
    pub(super) listed: Vec<LedgerId>,
    /// The entries of the logs that are followed.
    pub(super) told: Vec<tail::News>,
    /// How many entries there are in all.
    pub(super) entries: usize,
    /// The elapsed time when it was decided.
    pub(super) decided: Duration,
}

impl Changes {
    /// What a turn of `server` changes, of which the followers of logs are to be `told` that.
    pub(super) fn of(
        turn: &Turn,
        server: &ServerName,
        share: Share,
        told: Vec<tail::News>,
        decided: Duration,
    ) -> Changes {
        let appends = || turn.appends.iter();
        let begun = appends().filter(|append| append.lists(server));
        let begun = begun.filter_map(|append| append.ledger);
        Changes {
            mark: appends().find_map(Mark::of),
            ledgers: appends().filter_map(|append| append.ledger).collect(),
            listed: begun.filter(|id| share.has(*id)).collect(),
            told,
            entries: appends().map(|append| append.entries.len()).sum(),
            decided,
        }
    }
}

impl Turns {
    /// Takes note of a turn that is durable now.
    pub(super) fn committed(&mut self, changes: Changes) {
        let Changes { mark, ledgers, listed, told, entries, decided } = changes;
        self.stirred |= mark.is_some();
        self.tails.extend(told);
        if mark.is_some() {
            let time = self.clock.elapsed().saturating_sub(decided);
            let mut commits = self.commits.lock().unwrap_or_else(PoisonError::into_inner);
            commits.note(u64::try_from(entries).unwrap_or(u64::MAX), time);
        }
        listed.into_iter().for_each(|id| self.ledgers.list(id));
        for id in ledgers {
            self.ledgers.believe(id);
            if let Some(ledger) = self.ledgers.due(id, self.archives.keep()) {
                let believed = self.store_clock.believed();
                self.archives.tell(&*self.log, id, ledger, believed);
            }
        }
    }

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
