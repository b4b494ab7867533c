//! A held license as a value: dropping it gives the license back.

use std::fmt;

use license_types::{Released, RetainReceipt, Retention, Token};

use crate::keeper::{Event, Place};
use crate::{Client, Error, Notices, Pending};

/// A license that is held for as long as this lives, and is renewed in the background.
///
/// Dropping it releases exactly this retention, never a later one of the same session, and never
/// blocks. Retaining again for the same session and product gives a second seat of the same retention,
/// which is released when its last seat in this client is dropped.
#[must_use = "the license is released when the seat is dropped"]
pub struct Seat {
    place: Place,
    receipt: RetainReceipt,
    guard: u64,
    notices: Notices,
    client: Option<Client>,
}

impl Seat {
    pub(crate) fn new(
        place: Place,
        receipt: RetainReceipt,
        guard: u64,
        notices: Notices,
        client: Client,
    ) -> Seat {
        Seat { place, receipt, guard, notices, client: Some(client) }
    }

    /// Identifies the retention.
    pub fn token(&self) -> Token {
        self.receipt.retention.token
    }

    /// The record, as it was when the license was retained.
    pub fn record(&self) -> &Retention {
        &self.receipt.retention
    }

    /// What the server answered: the record with its lease.
    pub fn receipt(&self) -> &RetainReceipt {
        &self.receipt
    }

    /// The channel that says when the lease is in danger or lost. The seat does not retain again by
    /// itself.
    pub fn notices(&self) -> Notices {
        self.notices.clone()
    }

    /// Releases the license, for every seat of the retention, and waits until that is durable.
    ///
    /// # Errors
    /// The problem `not_retained` when it was released already: perhaps by this very call, if its answer
    /// was lost and the request was sent again. Otherwise why no server answered, in which case the
    /// license is free once its lease is over.
    pub fn release(self) -> Result<Released, Error> {
        self.release_async().wait()
    }

    /// [`release`](Self::release) for async callers.
    pub fn release_async(mut self) -> Pending<Released> {
        let client = self.client.take().expect("only consumed seats lack it");
        let (reply, pending) = Pending::new(client.clone());
        let (place, token) = (self.place.clone(), self.token());
        client.tell(Event::Release { place, token, reply });
        pending
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            let (place, token) = (self.place.clone(), self.token());
            client.tell(Event::Dropped { place, token, guard: self.guard });
        }
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat")
            .field("token", &self.token())
            .field("session", &self.place.session)
            .finish_non_exhaustive()
    }
}
