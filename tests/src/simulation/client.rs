//! The clients: each wants a license now and then, keeps it alive for a while, gives it back, or dies
//! without a word. A client relies on its lease, counted from when it sent the request; or, where it
//! needs none, on the process that vouches for it.

use license_pool::Seat;
use license_types::{Principal, ProductId, SessionId, SessionState};

/// By what a client holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// By a lease, through any server.
    Lease,
    /// By a seat, in the process that it runs in.
    Seat,
    /// By what a single command retained.
    Command,
}

/// What a client is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Nothing, until it acts again.
    Idle,
    /// It waits for an answer.
    Asking(Request),
    /// It holds a license.
    Holding(Holding),
    /// It is no more.
    Gone,
}

/// A request that is on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) wish: Wish,
    /// When it was first sent; a lease counts from there.
    pub(super) sent: u64,
    /// What the client holds meanwhile.
    pub(super) holding: Option<Holding>,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Waiting for so many milliseconds, where there is none left.
    Retain {
        wait: u64,
    },
    Renew,
    /// Of the license with this token, however that is named.
    Release {
        token: u64,
        named: Named,
    },
}

/// By what a release names what is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Token,
    /// What the session holds of its product by then.
    Product,
    /// All that the session holds by then.
    Session,
}

/// A license as its holder sees it; times are true ones, in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holding {
    pub(super) token: u64,
    /// The end of its lease; none where it has none.
    pub(super) until: u64,
    /// When it renews.
    pub(super) renews: u64,
    /// When it has no more use for it.
    pub(super) wanted: u64,
}

pub(super) struct Client {
    pub(super) kind: Kind,
    /// In whose name it asks.
    pub(super) principal: Option<Principal>,
    /// What it holds by, where that is a seat.
    pub(super) seat: Option<Seat>,
    /// Another client may ask for another product in the same session, of another server.
    pub(super) session: SessionId,
    /// What it says that it is doing.
    pub(super) state: Option<SessionState>,
    pub(super) product: ProductId,
    /// The lease that it asks for, in seconds.
    pub(super) lease: u64,
    /// The ledger that it asks, by its place.
    pub(super) ledger: usize,
    /// The server that it prefers, or the process that it runs in.
    pub(super) server: usize,
    pub(super) doing: Doing,
    /// Counts what it sent, so that late answers are known as such.
    pub(super) sent: u64,
    /// Counts its plans; only the last one is carried out.
    pub(super) acts: u64,
}

impl Client {
    /// The license on which it relies at `now`.
    pub(super) fn relies_on(&self, now: u64) -> Option<&Holding> {
        let holding = match &self.doing {
            Doing::Holding(holding) => Some(holding),
            Doing::Asking(Request { wish: Wish::Retain { .. } | Wish::Renew, holding, .. }) => {
                holding.as_ref()
            }
            Doing::Asking(Request { wish: Wish::Release { .. }, .. })
            | Doing::Idle
            | Doing::Gone => None,
        };
        holding.filter(|holding| holding.until > now)
    }
}
