//! What goes wrong between us and the database, before it is told in the words of a log.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use tokio_postgres::error::Severity;

use crate::log::{Cause, LogError, OpenError};

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("PostgreSQL failed")]
    Database(#[from] tokio_postgres::Error),
    #[error("PostgreSQL gave no answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// What it said beside the answer that a commit got.
    #[error("PostgreSQL committed with a warning")]
    Warned(#[source] Cause),
    #[error(
        "the database has `{setting}` at `{value}`, so what was acknowledged could be lost: \
         set it to {cure}"
    )]
    Unsafe { setting: &'static str, value: String, cure: &'static str },
    #[error("the certificates in `sslrootcert` cannot be used")]
    Authorities(#[source] Cause),
    #[error("the database has no license store")]
    Missing,
    #[error("the schema `license` of the database is not a license store")]
    Foreign,
    #[error("the database holds a copy that was not finished")]
    Unfinished,
    #[error("the database has something in the schema `license` already")]
    Occupied,
    #[error("the store has format {0}, which a newer version wrote")]
    Newer(u64),
    #[error("the store has format {0}, which no version makes on PostgreSQL")]
    Unreadable(u64),
    /// What each of several servers said.
    #[error("no server can be used: {}", Each(.0))]
    Servers(Vec<(String, Trouble)>),
    /// A connection that was to be ended.
    #[error("PostgreSQL did not end a connection that it was told to end")]
    Lingers,
    /// A row that the statement cannot have given.
    #[error("PostgreSQL gave an answer that makes no sense")]
    Nonsense,
}

impl Trouble {
    pub(super) fn into_log(self, action: &'static str) -> LogError {
        LogError::Unavailable { action, source: self.into() }
    }

    pub(super) fn into_open(self, store: String, known: u64) -> OpenError {
        match self {
            Trouble::Missing => OpenError::Missing { store },
            Trouble::Foreign => OpenError::Foreign { store },
            Trouble::Unfinished => OpenError::Unfinished { store },
            Trouble::Occupied => OpenError::Occupied { store },
            Trouble::Newer(format) => OpenError::Newer { store, format, known },
            Trouble::Unreadable(format) => OpenError::Unreadable { store, format, known },
            Trouble::Database(_)
            | Trouble::Silent(_)
            | Trouble::Warned(_)
            | Trouble::Unsafe { .. }
            | Trouble::Authorities(_)
            | Trouble::Servers(_)
            | Trouble::Lingers
            | Trouble::Nonsense => OpenError::Unavailable { store, source: self.into() },
        }
    }

    /// Whether PostgreSQL ended the connection with these words.
    pub(super) fn is_fatal(&self) -> bool {
        matches!(self.severity(), Some(Severity::Fatal | Severity::Panic))
    }

    /// Whether PostgreSQL said that it did not do what it was asked. It never says so once a commit is
    /// made.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self.severity(), Some(Severity::Error))
    }

    /// How severe PostgreSQL called it, if it is PostgreSQL that said it.
    fn severity(&self) -> Option<Severity> {
        match self {
            Trouble::Database(error) => error.as_db_error()?.parsed_severity(),
            Trouble::Silent(_)
            | Trouble::Warned(_)
            | Trouble::Unsafe { .. }
            | Trouble::Authorities(_)
            | Trouble::Missing
            | Trouble::Foreign
            | Trouble::Unfinished
            | Trouble::Occupied
            | Trouble::Newer(_)
            | Trouble::Unreadable(_)
            | Trouble::Servers(_)
            | Trouble::Lingers
            | Trouble::Nonsense => None,
        }
    }
}

/// Several servers' errors, each with everything that led to it, in one line.
struct Each<'e>(&'e [(String, Trouble)]);

impl fmt::Display for Each<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, trouble)) in self.0.iter().enumerate() {
            write!(f, "{}{name}: {trouble}", if index == 0 { "" } else { "; " })?;
            let mut source = trouble.source();
            while let Some(error) = source {
                write!(f, ": {error}")?;
                source = error.source();
            }
        }
        Ok(())
    }
}
