//! What callers hand to the writer thread.

use std::sync::Arc;

use jiff::Timestamp;
use license_core::{Command, Held, Install, Ledger, Release, Target};
use license_types::{InstallReceipt, Principal, Released, SessionId, Token};

use crate::Error;
use crate::log::{LedgerId, Log, Which};

/// One thing to do for a caller.
pub(crate) enum Request {
    Write(Write),
    Install(Installation),
    Read(Read),
    /// To be done with the log itself, between two turns.
    Log(Box<WithLog>),
    SeatDropped(SeatId),
    /// Ends the thread once everything before it was done.
    Close(Box<dyn FnOnce() + Send>),
}

pub(crate) type WithLog = dyn FnOnce(&mut dyn Log) + Send;

/// Takes the ledger, or why there is none, and the time.
pub(crate) type Report = dyn FnOnce(Result<&Ledger, Error>, Timestamp) + Send;

/// A command that waits for its turn.
pub(crate) struct Write {
    pub(crate) license: Which,
    pub(crate) principal: Option<Arc<Principal>>,
    pub(crate) command: Command,
    pub(crate) reply: Reply,
}

/// Who waits for the outcome of a command.
pub(crate) enum Reply {
    /// A caller. Says whether a seat came into being that will be dropped one day.
    Caller(Box<dyn FnOnce(Result<Done, Error>) -> bool + Send>),
    /// Nobody: a dropped seat was released, which is tried until the store takes it.
    Nobody,
}

/// What a command did.
pub(crate) struct Done {
    pub(crate) ledger: LedgerId,
    /// What the session holds, as far as it was retained or renewed.
    pub(crate) held: Vec<Held>,
    /// The retention that a seat may stand for.
    pub(crate) granted: Option<Granted>,
    /// What ended.
    pub(crate) released: Vec<Released>,
}

/// A retention that was granted.
#[derive(Clone)]
pub(crate) struct Granted {
    pub(crate) seat: SeatId,
    /// Whether it was granted just now, and not held before.
    pub(crate) new: bool,
}

/// A license to be installed, in a turn of its own.
pub(crate) struct Installation {
    pub(crate) principal: Option<Arc<Principal>>,
    pub(crate) install: Install,
    pub(crate) dry_run: bool,
    pub(crate) reply: Box<dyn FnOnce(Result<InstallReceipt, Error>) + Send>,
}

/// A report to be made of a ledger that is up to date.
pub(crate) struct Read {
    pub(crate) license: Which,
    pub(crate) run: Box<Report>,
}

/// Which retention a seat stands for.
#[derive(Clone, Debug)]
pub(crate) struct SeatId {
    pub(crate) ledger: LedgerId,
    /// A number that leads to the ledger, whatever is installed beside it later.
    pub(crate) license: Arc<str>,
    pub(crate) session: Arc<SessionId>,
    pub(crate) token: Token,
}

impl SeatId {
    /// The command that releases exactly this retention.
    pub(crate) fn release(self, reply: Reply) -> Write {
        Write {
            license: Which::Number(self.license),
            principal: None,
            command: Command::Release(Release::new(Target::Token(self.token))),
            reply,
        }
    }
}
