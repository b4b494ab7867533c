//! Why a request was not answered with what it asked for: the rules said no, the request cannot be
//! understood, or the store failed.

use std::error::Error as StdError;
use std::sync::Arc;

use jiff::Timestamp;
use license_core::{Fault, InstallError, Refusal};
use license_types::Invalid;

use crate::{LogError, VerifyError};

/// Why the pool did not do what it was asked.
///
/// One failure of the store answers everyone who waited for it, hence the shared sources.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The rules say no. Nothing is broken, and asking again later may succeed.
    #[error("{0}")]
    Refused(Refusal),
    /// An id or another value in the request is malformed.
    #[error("{0}")]
    Input(Invalid),
    /// The document is no license that could be installed.
    #[error("the license document was not accepted")]
    Document(#[source] InstallError),
    /// The signature of the document was not accepted.
    #[error("the license document was not believed")]
    Signature(#[source] VerifyError),
    /// Several licenses are installed, and the request named none of them.
    #[error("several licenses are installed ({}): name one of them", numbers.join(", "))]
    AmbiguousLicense {
        /// The numbers in force.
        numbers: Vec<String>,
    },
    /// The license is installed beside the one that it was to replace.
    #[error("license `{number}` is installed on its own and cannot replace `{replaces}`")]
    NumberTaken {
        /// The number of the document.
        number: String,
        /// The number that it was to replace.
        replaces: String,
    },
    /// The document bears the number of a license that another one replaced.
    #[error(
        "license `{number}` was replaced by `{by}`: to put it back, say that it replaces that one"
    )]
    NumberReplaced {
        /// The number of the document.
        number: String,
        /// The number of the license in force.
        by: String,
    },
    /// The description of a session is longer than any session has reason to be.
    #[error("the description of the session has {bytes} bytes; {most} are the most")]
    TooLong {
        /// Its length as JSON.
        bytes: usize,
        /// The most that is kept.
        most: usize,
    },
    /// One license's log holds an entry that cannot be right. Other licenses go on, and its history
    /// stays readable.
    #[error("the license cannot be used: entry {sequence} of its log is wrong")]
    LedgerFaulted {
        /// The entry's place in the log.
        sequence: u64,
        /// What is wrong with it.
        source: Arc<dyn StdError + Send + Sync>,
    },
    /// The store failed; nothing of the request was done.
    #[error("the store is not available")]
    StoreUnavailable(#[source] Arc<LogError>),
    /// Others kept the store busy for too long; nothing of the request was done.
    #[error("the store is not free")]
    StoreBusy(#[source] Arc<LogError>),
    /// The clock of the store jumped ahead, and by the old time the license is valid while by the
    /// new one it has expired: which of the two is right shows within minutes, or an administrator
    /// says it.
    #[error(
        "the store's clock jumped from {before} to {after}, and the license depends on which is right"
    )]
    ClockSkew {
        /// The time by the old clock, which goes on meanwhile.
        before: Timestamp,
        /// The time that the store's clock shows.
        after: Timestamp,
    },
    /// Too many wait for a license already.
    #[error("{waiting} sessions wait for a license already")]
    QueueFull {
        /// How many wait.
        waiting: usize,
    },
    /// The store failed in the middle, and nobody knows whether the request was done. Asking again
    /// is safe.
    #[error("the store did not say whether the request was done")]
    OutcomeUnknown(#[source] Arc<LogError>),
    /// Another process took the name of this pool's server, so this pool may not answer any more.
    #[error("this server was replaced by another of its name")]
    Fenced(#[source] Arc<LogError>),
    /// The store was copied to another, which took its place: this one can only be read.
    #[error("the store is sealed: {target} took its place")]
    Sealed {
        /// The other store, without secrets.
        target: String,
    },
    /// The pool was closed before the request was answered.
    #[error("the pool is closed")]
    Closed,
    /// A mistake of ours; nothing of the request was done.
    #[error("the engine made a mistake and took it back")]
    Internal(#[source] Option<Arc<Fault>>),
}

/// An error and all that led to it, as one line, each told once.
///
/// ```
/// use license_pool::{Pool, explained};
///
/// let error = Pool::open("nonsense").unwrap_err();
/// assert!(explained(&error).starts_with("the store is not named well: `nonsense` names no store"));
/// ```
pub fn explained(error: &dyn StdError) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let level = error.to_string();
        // Some libraries repeat what the level above says, behind a number of theirs.
        let news = level.rsplit(": ").next().unwrap_or_default();
        if !message.contains(news) {
            message.push_str(": ");
            message.push_str(&level);
        }
        source = error.source();
    }
    message
}

impl Error {
    /// Whether the same request may succeed later although nobody changes anything: the store may
    /// come back.
    pub fn is_transient(&self) -> bool {
        match self {
            Error::StoreUnavailable(_)
            | Error::StoreBusy(_)
            | Error::ClockSkew { .. }
            | Error::QueueFull { .. }
            | Error::OutcomeUnknown(_)
            | Error::Internal(_) => true,
            Error::Refused(_)
            | Error::Input(_)
            | Error::Document(_)
            | Error::Signature(_)
            | Error::AmbiguousLicense { .. }
            | Error::NumberTaken { .. }
            | Error::NumberReplaced { .. }
            | Error::TooLong { .. }
            | Error::LedgerFaulted { .. }
            | Error::Fenced(_)
            | Error::Sealed { .. }
            | Error::Closed => false,
        }
    }

    /// The same of what may have been done before.
    pub(crate) fn in_doubt(self) -> Error {
        match self {
            Error::StoreUnavailable(error) | Error::StoreBusy(error) => {
                Error::OutcomeUnknown(error)
            }
            other => other,
        }
    }

    /// A failure that left nothing behind.
    pub(crate) fn store(error: LogError) -> Error {
        match error {
            LogError::Sealed { target } => Error::Sealed { target },
            LogError::Fenced { .. } => Error::Fenced(Arc::new(error)),
            LogError::Entry { sequence, source, .. } => {
                Error::LedgerFaulted { sequence, source: source.into() }
            }
            LogError::Busy { .. } => Error::StoreBusy(Arc::new(error)),
            LogError::Unavailable { .. } | LogError::Taken { .. } | LogError::Alive { .. } => {
                Error::StoreUnavailable(Arc::new(error))
            }
        }
    }
}
