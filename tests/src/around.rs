//! A log in memory with something around it: tests and simulations say only what differs.

use std::ops::Range;

use jiff::Timestamp;
use license_core::{Entry, Figure};
use license_pool::KeptCredential;
use license_pool::log::{
    Asked, LedgerId, LedgerNumbers, Log, LogError, Mark, MemoryLog, News, Server, ServerRow,
    Silence, Turn, TurnError,
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

    fn format(&mut self) -> Result<u64, LogError> {
        self.0.inside().format()
    }
}
