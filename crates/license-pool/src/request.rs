//! What callers hand to the writer thread.

use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use license_core::{Command, Head, Held, Install, Ledger, Release, Target};
use license_types::{
    DateTime, InstallReceipt, Lease, Principal, Released, RetainReceipt, Seconds, SessionId,
    SessionState, Token, UninstallReceipt,
};

use crate::Error;
use crate::archivist::Archivist;
use crate::log::{LedgerId, Log, OpenError, Which};
use crate::tail::Tail;
use crate::writer::Writer;

/// One thing to do for a caller.
pub(crate) enum Request {
    Write(Write),
    Install(Installation),
    Uninstall(Uninstallation),
    Renew(Renewal),
    Read(Read),
    /// Something to do with the log itself, between two turns. If it is about one license, that
    /// license's writer does it, so that it finds what was answered before.
    Log {
        license: Option<Which>,
        run: Box<WithLog>,
    },
    /// For an archivist that works on the caller's thread.
    Archivist(Box<TakeArchivist>),
    SeatDropped(SeatId),
    Watch(Watch),
    /// Something for the writer itself to do.
    Aside(Box<Aside>),
    /// Ends the writer, once everything before it is done.
    Close(Box<dyn FnOnce() + Send>),
}

impl Request {
    /// Whether it usually takes a turn.
    pub(crate) fn writes(&self) -> bool {
        match self {
            Request::Write(_) | Request::SeatDropped(_) => true,
            Request::Install(_)
            | Request::Uninstall(_)
            | Request::Renew(_)
            | Request::Read(_)
            | Request::Log { .. }
            | Request::Archivist(_)
            | Request::Watch(_)
            | Request::Aside(_)
            | Request::Close(_) => false,
        }
    }

    /// Whether it comes from a session that relies on being heard.
    pub(crate) fn is_heard(&self) -> bool {
        self.writes() || matches!(self, Request::Renew(_))
    }

    /// The license that it concerns, where it concerns one.
    pub(crate) fn license(&self) -> Option<&Which> {
        match self {
            Request::Write(write) => Some(&write.license),
            Request::Renew(renewal) => Some(&renewal.license),
            Request::Read(read) => Some(&read.license),
            Request::Watch(watch) => Some(&watch.license),
            Request::Log { license, .. } => license.as_ref(),
            // A seat knows its ledger.
            Request::SeatDropped(_)
            | Request::Install(_)
            | Request::Uninstall(_)
            | Request::Archivist(_)
            | Request::Aside(_)
            | Request::Close(_) => None,
        }
    }
}

pub(crate) type TakeArchivist = dyn FnOnce(Result<Option<Archivist>, OpenError>) + Send;

pub(crate) type WithLog = dyn FnOnce(&mut dyn Log) + Send;

pub(crate) type Aside = dyn FnOnce(&mut Writer) + Send;

/// Somebody who waits for the log of a license to grow.
pub(crate) struct Watch {
    pub(crate) license: Which,
    pub(crate) awaits: Awaits,
}

/// What is to be told of a log.
pub(crate) enum Awaits {
    /// Where it ends, once that is after a sequence.
    Head { after: u64, reply: oneshot::Sender<Result<Head, Error>> },
    /// Its end itself, to be followed.
    Tail(oneshot::Sender<Result<Arc<Tail>, Error>>),
}

impl Awaits {
    /// Whether nobody waits for it any more.
    pub(crate) fn is_gone(&self) -> bool {
        match self {
            Awaits::Head { reply, .. } => reply.is_closed(),
            Awaits::Tail(reply) => reply.is_closed(),
        }
    }

    /// Answers that there will be nothing to tell.
    pub(crate) fn fail(self, error: Error) {
        match self {
            Awaits::Head { reply, .. } => drop(reply.send(Err(error))),
            Awaits::Tail(reply) => drop(reply.send(Err(error))),
        }
    }
}

/// Takes the ledger and the time, or why there is none.
pub(crate) type Report = dyn FnOnce(Result<(&Ledger, Timestamp), Error>) + Send;

/// A command that waits for its turn.
pub(crate) struct Write {
    pub(crate) license: Which,
    pub(crate) principal: Option<Arc<Principal>>,
    pub(crate) command: Command,
    /// If a release is decided again, the tokens that it released the first time: it may release no
    /// others.
    pub(crate) only: Option<Vec<Token>>,
    /// How long it waits in line for a license, if it does.
    pub(crate) wait: Option<Duration>,
    pub(crate) reply: Reply,
}

impl Write {
    /// Whether its caller was refused a license already, before the turn was durable.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.reply, Reply::Answered)
    }
}

/// Who waits for the outcome of a command.
pub(crate) enum Reply {
    /// A caller.
    Caller {
        /// Takes the outcome, and says what became of a license that was granted.
        answer: Box<dyn FnOnce(Result<Done, Error>) -> Received + Send>,
        /// Dangles when the caller has gone.
        waits: Weak<()>,
    },
    /// A client, which holds what it is granted by its lease.
    Client(oneshot::Sender<Result<Granted, Error>>),
    /// Nobody: a dropped seat is released, and that is tried until the store takes it.
    Nobody,
    /// Nobody any more: the caller has its answer.
    Answered,
}

impl Reply {
    /// Whether nobody waits for it any more.
    pub(crate) fn is_gone(&self) -> bool {
        match self {
            Reply::Client(sender) => sender.is_closed(),
            Reply::Caller { waits, .. } => waits.strong_count() == 0,
            Reply::Nobody | Reply::Answered => false,
        }
    }

    /// Answers that nothing was done.
    pub(crate) fn fail(self, error: Error) {
        match self {
            Reply::Caller { answer, .. } => drop(answer(Err(error))),
            Reply::Client(sender) => drop(sender.send(Err(error))),
            Reply::Nobody | Reply::Answered => {}
        }
    }
}

/// How a caller took its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// As a seat, which will be dropped one day.
    Seat,
    /// Not at all: it had gone, so a new license is to be released again.
    Lost,
    /// Without a seat.
    Plain,
}

/// What a command did.
pub(crate) struct Done {
    pub(crate) ledger: LedgerId,
    /// When, by the clock of the store.
    pub(crate) time: Timestamp,
    /// What was retained, by a retain.
    pub(crate) granted: Option<Granted>,
    /// The retentions that ended.
    pub(crate) released: Vec<Released>,
    /// The sessions that hold nothing any more.
    pub(crate) gone: Vec<Arc<SessionId>>,
}

/// A retention that was granted.
#[derive(Clone)]
pub(crate) struct Granted {
    pub(crate) seat: SeatId,
    pub(crate) kept: Kept,
    /// Whether it was granted just now, and not held before.
    pub(crate) new: bool,
}

/// What is held, and until when.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) held: Held,
    /// When its lease runs out; none if it needs no renewal.
    pub(crate) until: Option<Timestamp>,
}

impl Kept {
    pub(crate) fn lease(&self) -> Option<Lease> {
        self.held.record.lease_seconds.zip(self.until).map(|(lease, until)| Lease {
            lease_seconds: lease,
            renew_after_seconds: Seconds::new(lease.get() / 3).unwrap_or(Seconds::MIN),
            expires_at: DateTime::from(until),
        })
    }

    pub(crate) fn receipt(&self) -> RetainReceipt {
        RetainReceipt { retention: self.held.retention(), lease: self.lease() }
    }
}

/// Sessions of one license to be renewed, or only to be looked at.
pub(crate) struct Renewal {
    pub(crate) license: Which,
    pub(crate) principal: Option<Arc<Principal>>,
    /// The sessions, and the new state of each that tells one.
    pub(crate) sessions: Vec<(Arc<SessionId>, Option<SessionState>)>,
    /// Whether their leases begin anew.
    pub(crate) renews: bool,
    pub(crate) reply: Box<Renewed>,
}

/// Takes what each session holds.
pub(crate) type Renewed = dyn FnOnce(Vec<Result<Vec<Kept>, Error>>) + Send;

/// A license to be installed, in a turn of its own.
pub(crate) struct Installation {
    pub(crate) principal: Option<Arc<Principal>>,
    pub(crate) install: Install,
    pub(crate) dry_run: bool,
    pub(crate) reply: Box<dyn FnOnce(Result<InstallReceipt, Error>) + Send>,
}

/// A license to be uninstalled, in a turn of its own.
pub(crate) struct Uninstallation {
    pub(crate) license: Which,
    pub(crate) principal: Option<Arc<Principal>>,
    pub(crate) reply: Box<dyn FnOnce(Result<UninstallReceipt, Error>) + Send>,
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
    /// The command that releases exactly this retention. It names the session too, since in a store
    /// that went back in time the token may be another session's.
    pub(crate) fn release(self, reply: Reply) -> Write {
        let SeatId { license, session, token, .. } = self;
        let target = Target::Session { session, product: None, token: Some(token) };
        Write {
            license: Which::Number(license),
            principal: None,
            command: Command::Release(Release::new(target)),
            only: None,
            wait: None,
            reply,
        }
    }
}
