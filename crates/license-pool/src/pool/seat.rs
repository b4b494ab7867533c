//! A held license as a value: dropping it gives the license back.

use std::fmt;
use std::sync::Arc;

use license_core::{Held, Refusal};
use license_types::{Released, RetainReceipt, Retention, Token};

use super::shared::Shared;
use crate::request::{Done, Received, Reply, Request, SeatId};
use crate::{Error, Pending};

/// A license that is held for as long as this lives. The pool vouches for it: it needs no renewal.
///
/// Dropping it releases exactly this retention, never a later one of the same session, and never
/// blocks. Retaining for the same session and product again gives a second seat of the same retention,
/// which is released when its last seat in this pool is dropped, even if another pool or a command
/// retained it first. See [`is_new`](Seat::is_new), and [`keep`](Seat::keep) what is not yours to
/// release.
///
/// If the process crashes, what it retained is released for the cause `server_lost`: by whoever writes
/// to the store next if the pool had no name of its own, otherwise by a
/// [server](crate::Options::serving) that takes over. Until then its session may ask again.
///
/// ```
/// use license_pool::{Pool, SAMPLE_LICENSE, Session};
///
/// let pool = Pool::open("memory:")?;
/// pool.install(SAMPLE_LICENSE.as_bytes())?;
/// let seat = pool.retain("0009", "job-7", Session::rest("ann", "job-7", "127.0.0.1"))?;
/// assert_eq!(pool.usage(None)?, [seat.record()]);
/// drop(seat);
/// assert_eq!(pool.usage(None)?, []);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "the license is released when the seat is dropped"]
pub struct Seat {
    id: SeatId,
    held: Held,
    new: bool,
    shared: Option<Arc<Shared>>,
}

impl Seat {
    pub(crate) fn new(id: SeatId, held: Held, new: bool, shared: Arc<Shared>) -> Seat {
        Seat { id, held, new, shared: Some(shared) }
    }

    /// Identifies the retention.
    pub fn token(&self) -> Token {
        self.id.token
    }

    /// Whether the license was retained just now; `false` if the session held it already.
    pub fn is_new(&self) -> bool {
        self.new
    }

    /// The record, as usage reports showed it when it was retained.
    pub fn record(&self) -> Retention {
        self.held.retention()
    }

    /// The record with its lease; a seat needs none.
    pub fn receipt(&self) -> RetainReceipt {
        RetainReceipt { retention: self.record(), lease: None }
    }

    /// Lets the retention go on without this seat, until it is released by its session or token. One
    /// of a [local](crate::Options::local) pool outlives every process; any other ends when a
    /// [server](crate::Options::serving) takes over from a pool that died or ended.
    pub fn keep(mut self) {
        self.shared = None;
    }

    /// Releases the license, for every seat of the retention, and waits until that is durable.
    ///
    /// # Errors
    /// [`Refusal::NotRetained`] when it was released already; otherwise what the store said, in
    /// which case the license stays held.
    pub fn release(self) -> Result<Released, Error> {
        self.release_async().wait()
    }

    /// [`release`](Self::release) for async callers.
    pub fn release_async(mut self) -> Pending<Released> {
        let shared = self.shared.take().expect("only consumed seats lack it");
        let token = self.id.token;
        let (sender, waits, pending) = Pending::watched(shared.clone());
        let answer = Box::new(move |done: Result<Done, Error>| {
            let not_retained =
                Refusal::NotRetained { session: None, product: None, token: Some(token) };
            let released = done.and_then(|done| {
                done.released.into_iter().next().ok_or(Error::Refused(not_retained))
            });
            let _ = sender.send(released);
            Received::Plain
        });
        let reply = Reply::Caller { answer, waits };
        shared.send(Request::Write(self.id.clone().release(reply)));
        pending
    }

    /// Drops a seat that nobody received, without releasing anything: the writer does that.
    pub(crate) fn disarm(mut self) {
        self.shared = None;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.send(Request::SeatDropped(self.id.clone()));
        }
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SeatId { session, token, .. } = &self.id;
        f.debug_struct("Seat")
            .field("token", token)
            .field("session", session)
            .finish_non_exhaustive()
    }
}
