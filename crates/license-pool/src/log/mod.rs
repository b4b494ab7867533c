//! The durable, totally ordered log behind a pool: one trait, small enough to fake and to break.
//!
//! A log knows nothing of licenses. It keeps the entries of many ledgers, the license numbers that
//! point to them, and the register of the servers that share it.

use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use license_core::{Entry, Figure, Head};
use license_types::ServerName;

use crate::KeptCredential;

mod archive;
mod error;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod figure;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
mod register;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod row;
mod selection;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) mod tables;

pub use archive::{Archive, SnapshotMark};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) use error::lost_end;
pub use error::{Cause, LogError, OpenError, TurnError};
pub use memory::MemoryLog;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresLog, PostgresUrl};
#[cfg(feature = "postgres")]
pub(crate) use postgres::{PostgresSource, PostgresTarget};
pub use register::{Server, ServerRow, Silence};
pub use selection::{Selection, Stretch};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteLog;
#[cfg(feature = "sqlite")]
pub(crate) use sqlite::{SqliteSource, SqliteTarget};

/// Names a ledger inside its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LedgerId(pub i64);

/// Which license a request speaks of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Which {
    /// The only one that is in force.
    Only,
    /// The one that this number points to.
    Number(Arc<str>),
}

/// One license that a turn or a catch-up asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The license.
    pub license: Which,
    /// The ledger that it led to when last seen, and how much of that is known.
    pub known: Option<(LedgerId, Head)>,
}

/// Where a license leads, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// To this ledger.
    Ledger(LedgerId),
    /// Nowhere.
    Unknown,
    /// Anywhere: these are the numbers in force, one of which must be named.
    Several(Vec<String>),
}

/// What the log says to what was asked, all of one moment.
#[derive(Debug, Default)]
pub struct News {
    /// Where each license asked for leads, in that order.
    pub found: Vec<Found>,
    /// What is new in each ledger found, in the order of the ledgers.
    pub ledgers: Vec<(LedgerId, Since)>,
    /// The store's own clock, where it has one.
    pub time: Option<Timestamp>,
    /// The store that replaced this one, which can only be read. A turn fails with
    /// [`LogError::Sealed`] then, so only a catch-up is told this.
    pub sealed_to: Option<String>,
    /// Whether all this is only assumed, by a log that looks when it writes: nobody may be told
    /// anything that follows from it before the turn has succeeded.
    pub assumed: bool,
}

/// What a ledger's log holds beyond what was known of it.
#[derive(Debug, PartialEq)]
pub enum Since {
    /// These entries; mostly none.
    Entries(Vec<Entry>),
    /// More than fits in a turn, or nothing was known: read the ledger anew.
    Reload,
    /// Another history than the known one, or less of it: the store went back in time. Read the
    /// ledger anew, too.
    WentBack,
}

/// What a turn decided to change: all of it, or nothing.
#[derive(Debug, Default)]
pub struct Turn {
    /// New entries, of each ledger once.
    pub appends: Vec<Append>,
    /// Servers whose epoch ends, each with its row as the register showed it when it was found dead.
    /// If a row differs by now, that server lives, and the whole turn is dropped with
    /// [`LogError::Alive`]. Otherwise the row belongs to nobody afterwards, and vanishes once its name
    /// serves nothing more.
    pub ends: Vec<ServerRow>,
}

/// New entries of one ledger.
#[derive(Debug, Default)]
pub struct Append {
    /// The ledger; a new one where absent.
    pub ledger: Option<LedgerId>,
    /// The number of the license that the first entry installs, which points to the ledger from
    /// now on.
    pub number: Option<Arc<str>>,
    /// Whether the license is uninstalled, by these entries or before: its numbers still point to the
    /// ledger, but none of them is in force until one is installed again.
    pub uninstalls: bool,
    /// The entries, sealed; at least one, unless only `serving` changes.
    pub entries: Vec<Entry>,
    /// The servers that are put (`true`) on the list of those who serve sessions in this ledger, or
    /// taken off it.
    pub serving: Vec<(ServerName, bool)>,
    /// The figures of the days that these entries ended.
    pub figures: Vec<Figure>,
    /// If the clock was set back, the midnight from which on figures of days are void. They are
    /// removed before `figures` are added.
    pub void_from: Option<Timestamp>,
}

/// The first entry of a turn, by which the log tells afterwards whether the turn was committed.
#[derive(Debug)]
pub struct Mark {
    /// The ledger; where absent, the one that `number` points to now.
    pub ledger: Option<LedgerId>,
    /// The number of the license that was installed.
    pub number: Option<Arc<str>>,
    /// Sequence and chain value of the entry.
    pub head: Head,
}

/// One ledger and what points to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerNumbers {
    /// The ledger.
    pub ledger: LedgerId,
    /// License numbers that point to it, in the order in which they were installed last.
    pub numbers: Vec<String>,
    /// Whether the last of them is in force: a license that was uninstalled is not.
    pub in_force: bool,
}

/// A durable log of ledgers. Implement it to keep entries elsewhere, or to fail on purpose.
pub trait Log: Send {
    /// Takes a turn: calls `decide` once, with what is new in the ledgers asked for, and appends what
    /// that says. Nobody else appends to those ledgers meanwhile. When this returns, everything is
    /// durable.
    ///
    /// A log may also call `decide` with what it [assumes](News::assumed) to be so. Then it appends
    /// only if nobody else had appended anything; otherwise the turn was [overtaken](
    /// TurnError::Overtaken).
    ///
    /// If `decide` changes nothing, the turn is given back.
    ///
    /// # Errors
    /// [`TurnError`] says whether anything may have been appended.
    fn turn(
        &mut self,
        asked: &[Asked],
        decide: &mut dyn FnMut(News) -> Turn,
    ) -> Result<(), TurnError>;

    /// Whether a turn of this log takes so long that it pays to wait a moment for the callers whom the
    /// last turn answered, in case they ask again, instead of leaving them to a turn of their own.
    fn prefers_company(&self) -> bool {
        false
    }

    /// Waits until it is this log's turn among all who share the store: requests that come in
    /// meanwhile can be part of it. Call [`stand_back`](Self::stand_back) if then no turn is taken. An
    /// error is kept for the turn.
    fn line_up(&mut self) {}

    /// Gives way to others, if this lined up and took no turn.
    fn stand_back(&mut self) {}

    /// Whether a turn whose commit got no answer was committed. Waits until that is certain, so that
    /// the turn cannot be committed afterwards.
    ///
    /// # Errors
    /// When the log cannot tell now.
    fn landed(&mut self, mark: &Mark) -> Result<bool, LogError>;

    /// The news that a turn would begin with.
    ///
    /// # Errors
    /// When the log cannot be read, or this server was replaced.
    fn catch_up(&mut self, asked: &[Asked]) -> Result<News, LogError>;

    /// Up to `limit` entries of a ledger, after the sequence `after`.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn page(&mut self, ledger: LedgerId, after: u64, limit: usize) -> Result<Vec<Entry>, LogError>;

    /// Up to `limit` entries that are wanted, from a stretch of a ledger's log after the sequence
    /// `after`. Implement it where the log itself can leave out what is not wanted.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn select(
        &mut self,
        ledger: LedgerId,
        after: u64,
        limit: usize,
        wanted: &Selection,
    ) -> Result<Stretch, LogError> {
        let mut entries = self.page(ledger, after, limit)?;
        let begin = entries.first().map_or(0, |first| first.sequence);
        let reached = entries.last().map_or(after, |last| last.sequence);
        let end = if entries.len() < limit { reached } else { reached + 1 };
        entries.retain(|entry| wanted.takes(entry));
        Ok(Stretch { begin, entries, reached, end })
    }

    /// The figures of a ledger that have a day in `days`, in the order of time.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn figures(
        &mut self,
        ledger: LedgerId,
        days: Range<Timestamp>,
    ) -> Result<Vec<Figure>, LogError>;

    /// Every ledger, and the license numbers that point to it.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn ledgers(&mut self) -> Result<Vec<LedgerNumbers>, LogError>;

    /// Takes a server's name, from whoever had it, and gives its epoch. From now on turns and
    /// catch-ups fail with [`LogError::Fenced`] when somebody else takes it.
    ///
    /// # Errors
    /// When the log cannot be written.
    fn register(&mut self, server: Server) -> Result<u64, LogError>;

    /// Shows the others that this server lives, keeps these silences (and removes those of zero), and
    /// gives the whole register in the order of the names. A log that acts as no server only reads.
    ///
    /// # Errors
    /// When the log cannot be written, or this server was replaced.
    fn beat(&mut self, silences: &[Silence]) -> Result<Vec<ServerRow>, LogError>;

    /// The ledgers in which a server may serve sessions. None in which it does is missing.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn serving(&mut self, server: &ServerName) -> Result<Vec<LedgerId>, LogError>;

    /// What was told of silent sessions of a ledger, in the order of the tokens.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn silences(&mut self, ledger: LedgerId) -> Result<Vec<Silence>, LogError>;

    /// The whole register, if the store shows at once who died; without writing anything or waiting
    /// for anybody. None if only beats tell who lives.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn glance(&mut self) -> Result<Option<Vec<ServerRow>>, LogError> {
        Ok(None)
    }

    /// Whether anybody else wrote to the store since this was last asked; none if that cannot be told
    /// cheaply.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn changed(&mut self) -> Result<Option<bool>, LogError> {
        Ok(None)
    }

    /// Every credential, in the order in which they were made; revoked ones too.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn credentials(&mut self) -> Result<Vec<KeptCredential>, LogError>;

    /// Keeps a credential, in the place of the one with its id.
    ///
    /// # Errors
    /// When the log cannot be written.
    fn keep_credential(&mut self, credential: &KeptCredential) -> Result<(), LogError>;

    /// Gives back a name that was made up for one process and will not be taken again.
    ///
    /// # Errors
    /// When the log cannot be written.
    fn leave(&mut self) -> Result<(), LogError>;

    /// What it keeps beside the entries, if anything.
    fn archive(&mut self) -> Option<&mut dyn Archive> {
        None
    }

    /// Another handle on the same store for one more writer, which acts as the same server and takes
    /// turns of other ledgers in parallel. None if the store can take only one turn at a time.
    ///
    /// # Errors
    /// When the store cannot be opened again.
    fn for_writer(&self) -> Result<Option<Box<dyn Log>>, OpenError> {
        Ok(None)
    }

    /// Another handle on the same store for the archivist, which reads and archives beside this one;
    /// it acts as no server. None if there can be no other.
    ///
    /// # Errors
    /// When the store cannot be opened again.
    fn for_archivist(&self) -> Result<Option<Box<dyn Log>>, OpenError> {
        Ok(None)
    }

    /// The version of the format that the store is written in.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn format(&mut self) -> Result<u64, LogError>;

    /// What is wrong with the store itself, below the entries; nothing if it is sound, or if what it
    /// is built on cannot tell.
    ///
    /// # Errors
    /// When the log cannot be read at all.
    fn damage(&mut self) -> Result<Vec<String>, LogError> {
        Ok(Vec::new())
    }
}

impl Asked {
    /// The head that is known of `ledger`, if that is where the license led.
    pub(crate) fn known_of(&self, ledger: LedgerId) -> Option<Head> {
        self.known.filter(|(known, _)| *known == ledger).map(|(_, head)| head)
    }
}

impl Append {
    /// Whether it puts a server on the list of those who serve sessions in the ledger.
    pub(crate) fn lists(&self, server: &ServerName) -> bool {
        self.serving.iter().any(|(name, serves)| *serves && name == server)
    }
}

#[cfg(any(feature = "postgres", feature = "sqlite"))]
impl LedgerNumbers {
    /// Adds a row of a ledger and one of its numbers, if it has any, with whether that is in force;
    /// rows come in the order of the ledgers, then of the numbers.
    fn gather(ledgers: &mut Vec<LedgerNumbers>, ledger: LedgerId, number: Option<(String, bool)>) {
        if ledgers.last().is_none_or(|last| last.ledger != ledger) {
            ledgers.push(LedgerNumbers { ledger, numbers: Vec::new(), in_force: false });
        }
        if let (Some(last), Some((number, in_force))) = (ledgers.last_mut(), number) {
            last.numbers.push(number);
            last.in_force = in_force;
        }
    }
}

impl Mark {
    /// The mark of `append`; none if it has no entries.
    pub(crate) fn of(append: &Append) -> Option<Mark> {
        let entry = append.entries.first()?;
        let head = Head { sequence: entry.sequence, chain: entry.chain };
        Some(Mark { ledger: append.ledger, number: append.number.clone(), head })
    }
}

impl Found {
    /// The ledger, where there is one.
    pub(crate) fn ledger(&self) -> Option<LedgerId> {
        match self {
            Found::Ledger(ledger) => Some(*ledger),
            Found::Unknown | Found::Several(_) => None,
        }
    }
}
