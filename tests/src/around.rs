//! A log in memory with something around it: tests and simulations say only what differs.

use std::ops::Range;

use jiff::Timestamp;
use license_core::{Chunk, Entry, Figure};
use license_pool::KeptCredential;
use license_pool::log::{
    Archive, Asked, LedgerId, LedgerNumbers, Log, LogError, Mark, MemoryLog, News, OpenError,
    Server, ServerRow, Silence, SnapshotMark, Turn, TurnError,
};
use license_types::ServerName;

/// What stands around a log in memory; where nothing is said, the log answers.
pub trait Around: Send {
    /// The log inside.
    fn inside(&mut self) -> &mut MemoryLog;

    /// Whether the log is reached at all, for everything but turns, catch-ups and what they lead to.
    ///
    /// # Errors
    /// When it is not.
    fn reach(&mut self, action: &'static str) -> Result<(), LogError> {
        let _ = action;
        Ok(())
    }

    /// What becomes of something that was written beside the entries.
    ///
    /// # Errors
    /// When nobody is told that it was.
    fn written(&mut self, action: &'static str) -> Result<(), LogError> {
        let _ = action;
        Ok(())
    }

    /// See [`Log::for_writer`].
    fn for_writer(&self) -> Option<Box<dyn Log>> {
        None
    }

    /// See [`Log::for_archivist`].
    fn for_archivist(&self) -> Option<Box<dyn Log>> {
        None
    }

    /// See [`Log::turn`].
    ///
    /// # Errors
    /// Those of the log.
    fn turn(
        &mut self,
        asked: &[Asked],
        decide: &mut dyn FnMut(News) -> Turn,
    ) -> Result<(), TurnError> {
        self.inside().turn(asked, decide)
    }

    /// See [`Log::landed`].
    ///
    /// # Errors
    /// Those of the log.
    fn landed(&mut self, mark: &Mark) -> Result<bool, LogError> {
        self.inside().landed(mark)
    }

    /// See [`Log::catch_up`].
    ///
    /// # Errors
    /// Those of the log.
    fn catch_up(&mut self, asked: &[Asked]) -> Result<News, LogError> {
        self.inside().catch_up(asked)
    }
}

/// The log that results.
#[derive(Debug)]
pub struct Outside<A>(pub A);

impl<A: Around> Outside<A> {
    fn reached(&mut self, action: &'static str) -> Result<&mut MemoryLog, LogError> {
        self.0.reach(action)?;
        Ok(self.0.inside())
    }
}

impl<A: Around> Log for Outside<A> {
    fn turn(
        &mut self,
        asked: &[Asked],
        decide: &mut dyn FnMut(News) -> Turn,
    ) -> Result<(), TurnError> {
        self.0.turn(asked, decide)
    }

    fn landed(&mut self, mark: &Mark) -> Result<bool, LogError> {
        self.0.landed(mark)
    }

    fn catch_up(&mut self, asked: &[Asked]) -> Result<News, LogError> {
        self.0.catch_up(asked)
    }

    fn page(&mut self, ledger: LedgerId, after: u64, limit: usize) -> Result<Vec<Entry>, LogError> {
        self.reached("page")?.page(ledger, after, limit)
    }

    fn figures(
        &mut self,
        ledger: LedgerId,
        days: Range<Timestamp>,
    ) -> Result<Vec<Figure>, LogError> {
        self.reached("tell figures")?.figures(ledger, days)
    }

    fn ledgers(&mut self) -> Result<Vec<LedgerNumbers>, LogError> {
        self.reached("list its ledgers")?.ledgers()
    }

    fn register(&mut self, server: Server) -> Result<u64, LogError> {
        self.reached("register")?.register(server)
    }

    fn beat(&mut self, silences: &[Silence]) -> Result<Vec<ServerRow>, LogError> {
        self.reached("beat")?.beat(silences)
    }

    fn serving(&mut self, server: &ServerName) -> Result<Vec<LedgerId>, LogError> {
        self.reached("tell who serves")?.serving(server)
    }

    fn silences(&mut self, ledger: LedgerId) -> Result<Vec<Silence>, LogError> {
        self.reached("tell silences")?.silences(ledger)
    }

    fn credentials(&mut self) -> Result<Vec<KeptCredential>, LogError> {
        self.reached("list credentials")?.credentials()
    }

    fn keep_credential(&mut self, credential: &KeptCredential) -> Result<(), LogError> {
        self.reached("keep a credential")?.keep_credential(credential)
    }

    fn leave(&mut self) -> Result<(), LogError> {
        self.reached("leave")?.leave()
    }

    fn archive(&mut self) -> Option<&mut dyn Archive> {
        Some(self)
    }

    fn for_writer(&self) -> Result<Option<Box<dyn Log>>, OpenError> {
        Ok(self.0.for_writer())
    }

    fn for_archivist(&self) -> Result<Option<Box<dyn Log>>, OpenError> {
        Ok(self.0.for_archivist())
    }

    fn format(&mut self) -> Result<u64, LogError> {
        self.0.inside().format()
    }
}

impl<A: Around> Archive for Outside<A> {
    fn snapshots(&mut self, ledger: LedgerId) -> Result<Vec<SnapshotMark>, LogError> {
        self.reached("find a snapshot")?.snapshots(ledger)
    }

    fn chunk(
        &mut self,
        ledger: LedgerId,
        sequence: u64,
        chunk: u64,
    ) -> Result<Option<Vec<u8>>, LogError> {
        self.reached("read a snapshot")?.chunk(ledger, sequence, chunk)
    }

    fn keep(
        &mut self,
        ledger: LedgerId,
        sequence: u64,
        number: u64,
        chunk: &Chunk,
    ) -> Result<(), LogError> {
        self.reached("keep a snapshot")?.keep(ledger, sequence, number, chunk)?;
        self.0.written("keep a snapshot")
    }

    fn discard_snapshots(&mut self, ledger: LedgerId, kept: usize) -> Result<bool, LogError> {
        let more = self.reached("delete a snapshot")?.discard_snapshots(ledger, kept)?;
        self.0.written("delete a snapshot").map(|()| more)
    }

    fn discard_entries(
        &mut self,
        ledger: LedgerId,
        until: u64,
        limit: usize,
    ) -> Result<usize, LogError> {
        let gone = self.reached("delete entries")?.discard_entries(ledger, until, limit)?;
        self.0.written("delete entries").map(|()| gone)
    }

    fn erase(&mut self, ledger: LedgerId, sequences: &[u64]) -> Result<(), LogError> {
        self.reached("erase descriptions")?.erase(ledger, sequences)?;
        self.0.written("erase descriptions")
    }
}
