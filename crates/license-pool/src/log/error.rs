//! What can go wrong with a log, apart from what a ledger makes of its entries.

use std::error::Error;

#[cfg(any(feature = "postgres", feature = "sqlite"))]
use license_core::Entry;

use crate::log::LedgerId;

/// The cause of a failure, from whatever the log is built on.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Why a log could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The store cannot be reached, or refused its service.
    #[error("the store failed to {action}")]
    Unavailable {
        /// What it was to do.
        action: &'static str,
        /// What it said.
        source: Cause,
    },
    /// Another process kept its turn for longer than this one waits.
    #[error("the store is busy{}", has_turn(*holder))]
    Busy {
        /// The process that has the turn, where it is known.
        holder: Option<u32>,
    },
    /// Somebody else took the name of this server, or the store was replaced by one that does not
    /// know it.
    #[error("the store does not know this process as server `{server}` any more")]
    Fenced {
        /// The name.
        server: String,
    },
    /// A server that was to be taken for dead showed that it lives, or its name was taken again.
    #[error("server `{server}` is alive after all")]
    Alive {
        /// The name.
        server: String,
    },
    /// The store was copied to another, which took its place: this one can only be read.
    #[error("the store is sealed: {target} took its place")]
    Sealed {
        /// The other store, without secrets.
        target: String,
    },
    /// A process that lives acts under this name already.
    #[error("the name `{server}` is taken{}: end that process or choose another name", by(*holder))]
    Taken {
        /// The name.
        server: String,
        /// The process, where it is known.
        holder: Option<u32>,
    },
    /// One entry is not what the engine writes; its ledger cannot be used.
    #[error("entry {sequence} cannot be read")]
    Entry {
        /// The ledger.
        ledger: LedgerId,
        /// The entry's place in it.
        sequence: u64,
        /// What is wrong with it.
        source: Cause,
    },
}

#[cfg(any(feature = "postgres", feature = "sqlite"))]
impl LogError {
    /// Checks the end of a ledger's log, as it was read after the sequence `after`, against the head
    /// that the ledger's row repeats: where an end was lost unnoticed, licenses that are held would
    /// count as free; and where the head is an older one, a history would end too early.
    pub(super) fn unless_it_ends_at(
        ledger: LedgerId,
        (head, chain): (u64, &str),
        after: u64,
        last: Option<&Entry>,
    ) -> Result<(), LogError> {
        let end = last.map_or(after, |entry| entry.sequence);
        let source = if head > end {
            lost_end(head, end)
        } else if last.is_some_and(|last| head < last.sequence) {
            format!("the log ends after entry {end}, and its head says that it ends after {head}")
        } else if last.is_some_and(|last| last.sequence == head && last.chain.to_string() != chain)
        {
            format!("the log ends with another entry {head} than its head says")
        } else {
            return Ok(());
        };
        let sequence = if head < end { head + 1 } else { head.min(end + 1) };
        Err(LogError::Entry { ledger, sequence, source: source.into() })
    }
}

/// A log whose last entries are missing.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) fn lost_end(head: u64, end: u64) -> String {
    format!("the log should end at entry {head} and ends after entry {end}")
}

fn has_turn(holder: Option<u32>) -> String {
    holder
        .map(|holder| format!(": process {holder} has had its turn for too long"))
        .unwrap_or_default()
}

fn by(holder: Option<u32>) -> String {
    holder.map(|holder| format!(" by process {holder}")).unwrap_or_default()
}

/// How a turn failed.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// Nothing was appended.
    #[error("the turn was dropped")]
    Dropped(#[source] LogError),
    /// Nothing was appended: it was decided on what the log was [assumed](crate::log::News::assumed)
    /// to hold, and somebody else had written. What is known must be brought up to date.
    #[error("somebody else wrote to the ledgers of the turn")]
    Overtaken,
    /// Nobody knows whether it was appended: [`Log::landed`](crate::Log::landed) finds out.
    #[error("the turn's commit got no answer")]
    Unknown(#[source] LogError),
}

/// Why a store was not opened. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The text names no store.
    #[error("the store is not named well")]
    Url(#[source] crate::InvalidStoreUrl),
    /// There is none, and none was to be created.
    #[error("there is no store at {store}: install a license to create one")]
    Missing {
        /// Its absolute path, or its address without secrets.
        store: String,
    },
    /// The file or database belongs to something else.
    #[error("{store} is not a license store: choose another place")]
    Foreign {
        /// Its absolute path, or its address without secrets.
        store: String,
    },
    /// A newer version of the engine wrote the store.
    #[error(
        "{store} has store format {format}, and this version reads up to {known}: use a newer version"
    )]
    Newer {
        /// Its absolute path, or its address without secrets.
        store: String,
        /// Its format.
        format: u64,
        /// The newest format that this version reads.
        known: u64,
    },
    /// No version of the engine makes a store of this format in such a place: something else changed
    /// it.
    #[error(
        "{store} has store format {format}, which no version makes there, and this version reads \
         {known}: put a backup in its place, or choose another place"
    )]
    Unreadable {
        /// Its absolute path, or its address without secrets.
        store: String,
        /// Its format.
        format: u64,
        /// The format that this version reads there.
        known: u64,
    },
    /// Processes that share a file there do not see each other's locks, as on a network share.
    #[error(
        "{store} lies on {file_system}, where processes cannot share a store safely: put it on a \
         disk of this machine, and let other machines in by `license serve` or a PostgreSQL store"
    )]
    FileSystem {
        /// Its absolute path.
        store: String,
        /// The kind of the file system.
        file_system: String,
    },
    /// It cannot be reached.
    #[error("the store at {store} cannot be opened")]
    Unavailable {
        /// Its absolute path, or its address without secrets.
        store: String,
        /// Why.
        source: Cause,
    },
    /// The store was copied to another, which took its place: no server may act on this one.
    #[error("{store} is sealed: {target} took its place")]
    Sealed {
        /// Its absolute path, or its address without secrets.
        store: String,
        /// The other store, without secrets.
        target: String,
    },
    /// A copy needs a place of its own.
    #[error("there is something at {store} already: a copy needs a place of its own")]
    Occupied {
        /// Its absolute path, or its address without secrets.
        store: String,
    },
    /// A copy of a store that was begun and not finished.
    #[error("{store} is a copy that was not finished: copy again, or choose another place")]
    Unfinished {
        /// Its absolute path, or its address without secrets.
        store: String,
    },
    /// The store did not take the server's name.
    #[error("the server could not be registered in the store")]
    Register(#[source] LogError),
    /// The operating system gave no thread.
    #[error("the pool's thread could not be started")]
    Thread(#[source] std::io::Error),
}
