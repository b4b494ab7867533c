//! The clients: each wants a license now and then, keeps it alive for a while, gives it back, or dies
//! without a word. A client relies on its lease, counted from when it sent the request.

use license_types::{ProductId, SessionId};

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
    Retain,
    Renew,
    Release { token: u64 },
}

/// A license as its holder sees it; times are true ones, in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holding {
    pub(super) token: u64,
    /// The end of its lease.
    pub(super) until: u64,
    /// When it renews.
    pub(super) renews: u64,
    /// When it has no more use for it.
    pub(super) wanted: u64,
}

pub(super) struct Client {
    pub(super) session: SessionId,
    pub(super) product: ProductId,
    /// The ledger that it asks, by its place.
    pub(super) ledger: usize,
    /// The server that it prefers.
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
            Doing::Asking(Request { wish: Wish::Retain | Wish::Renew, holding, .. }) => {
                holding.as_ref()
            }
            Doing::Asking(Request { wish: Wish::Release { .. }, .. })
            | Doing::Idle
            | Doing::Gone => None,
        };
        holding.filter(|holding| holding.until > now)
    }
}
