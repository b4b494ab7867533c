//! What a server asks on behalf of its clients: they hold licenses by a lease that they renew, not by
//! a [`Seat`](crate::Seat) in this process.

use std::sync::Arc;
use std::time::Duration;

use license_core::{Command, Held, Retain};
use license_types::{Lease, RenewReceipt, RetainReceipt, SessionId, SessionState};

use super::too_long;
use crate::request::{Kept, Renewal, Reply, Request, Write};
use crate::{Error, Pending, Pool};

/// A license that a client holds by its lease; see [`Pool::grant`].
#[derive(Clone, Debug, PartialEq)]
pub struct Granted {
    /// The retention.
    pub held: Held,
    /// How long it outlives its last renewal, where it needs any.
    pub lease: Option<Lease>,
    /// Whether it was retained just now, and not held by the session before.
    pub new: bool,
}

impl Granted {
    /// The record and the lease.
    pub fn receipt(&self) -> RetainReceipt {
        RetainReceipt { retention: self.held.retention(), lease: self.lease.clone() }
    }

    /// The JSON of [`receipt`](Self::receipt), mostly without reading the description.
    ///
    /// ```
    /// use license_pool::{Pool, Retain, SAMPLE_LICENSE, Session};
    ///
    /// let pool = Pool::open("memory:")?;
    /// pool.install(SAMPLE_LICENSE.as_bytes())?;
    /// let ann = Session::rest("ann", "job-7", "127.0.0.1");
    /// let retain = Retain::new("0009".parse()?, "job-7".parse()?, ann);
    /// let granted = pool.grant(retain, None).wait()?;
    /// assert_eq!(granted.to_json(), serde_json::to_vec(&granted.receipt())?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = Vec::with_capacity(512);
        json.extend_from_slice(br#"{"retention":"#);
        self.held.write_json(&mut json);
        json.extend_from_slice(br#","lease":"#);
        serde_json::to_writer(&mut json, &self.lease).expect("a lease has only text keys");
        json.push(b'}');
        json
    }
}

impl Pool {
    /// Retains for a client that will renew by itself. With
    /// [`lease_seconds`](Retain::lease_seconds), the license is released once the client was not heard
    /// for that long. A session that holds it already counts as heard, and gets the same retention
    /// again with the lease that was fixed first.
    ///
    /// With a `wait`, a request for which no license is left is refused only after that time. Until
    /// then it stands in line with the others of this pool: first come, first served. A session that
    /// asks again within 15 seconds keeps its place and waits on. Once it has lost its place without a
    /// license, one refusal is recorded, with all the time that it waited. Drop the answer to give up.
    ///
    /// # Errors
    /// As [`retain`](Self::retain), and [`Error::QueueFull`] when too many wait.
    ///
    /// ```
    /// use license_pool::{LeaseSeconds, Pool, Retain, SAMPLE_LICENSE, Session};
    ///
    /// let pool = Pool::open("memory:")?;
    /// pool.install(SAMPLE_LICENSE.as_bytes())?;
    /// let ann = Session::rest("ann", "job-7", "127.0.0.1");
    /// let mut retain = Retain::new("0009".parse()?, "job-7".parse()?, ann);
    /// retain.lease_seconds = Some(LeaseSeconds::new(90)?);
    /// let granted = pool.grant(retain, None).wait()?;
    /// let lease = granted.lease.expect("it asked for one");
    /// assert_eq!((granted.new, lease.renew_after_seconds.get()), (true, 30));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn grant(&self, retain: Retain, wait: Option<Duration>) -> Pending<Granted> {
        if let Some(error) = too_long(&retain) {
            return self.refuse(error);
        }
        let (sender, pending) = Pending::new(self.shared.clone());
        self.shared.send(Request::Write(Write {
            license: self.license.clone(),
            principal: self.principal.clone(),
            command: Command::Retain(retain),
            only: None,
            wait: wait.filter(|wait| !wait.is_zero()),
            // A client that has gone needs no release: it asks again, or its lease runs out.
            reply: Reply::Client(sender),
        }));
        pending.then(|granted| {
            let granted = granted?;
            let lease = granted.kept.lease();
            Ok(Granted { held: granted.kept.held, lease, new: granted.new })
        })
    }

    /// Renews what a session holds, and may tell its new state; gives what it holds. Only a change
    /// is an entry: a new state, or that the session comes from another server.
    ///
    /// # Errors
    /// [`Refusal::NotRetained`](crate::Refusal::NotRetained) when it holds nothing; or what the store said.
    pub fn renew(&self, session: &str, state: Option<SessionState>) -> Result<RenewReceipt, Error> {
        self.renew_async(session, state).wait()
    }

    /// [`renew`](Self::renew) for async callers.
    pub fn renew_async(&self, session: &str, state: Option<SessionState>) -> Pending<RenewReceipt> {
        match SessionId::new(session) {
            Ok(session) => self.hear(vec![(session, state)], true).then(only),
            Err(invalid) => self.refuse(Error::Input(invalid)),
        }
    }

    /// Renews what many sessions hold; one answer each. Those that come from another server share
    /// one entry.
    ///
    /// # Errors
    /// None but those of each session, unless the pool is closed.
    pub fn renew_all(
        &self,
        sessions: Vec<(SessionId, Option<SessionState>)>,
    ) -> Pending<Vec<Result<RenewReceipt, Error>>> {
        self.hear(sessions, true)
    }

    /// What a session holds, with its leases; nothing is renewed.
    ///
    /// # Errors
    /// [`Refusal::NotRetained`](crate::Refusal::NotRetained) when it holds nothing; or what the store said.
    pub fn session(&self, session: SessionId) -> Pending<RenewReceipt> {
        self.hear(vec![(session, None)], false).then(only)
    }

    fn hear(
        &self,
        sessions: Vec<(SessionId, Option<SessionState>)>,
        renews: bool,
    ) -> Pending<Vec<Result<RenewReceipt, Error>>> {
        let (sender, pending) = Pending::new(self.shared.clone());
        let sessions = sessions.into_iter().map(|(session, state)| (Arc::new(session), state));
        self.shared.send(Request::Renew(Renewal {
            license: self.license.clone(),
            principal: self.principal.clone(),
            sessions: sessions.collect(),
            renews,
            reply: Box::new(move |kept| drop(sender.send(Ok(kept)))),
        }));
        // Records are rendered on the caller's thread.
        pending.then(|sessions| Ok(sessions?.into_iter().map(receipt).collect()))
    }
}

/// The answer of a list of one.
fn only(answers: Result<Vec<Result<RenewReceipt, Error>>, Error>) -> Result<RenewReceipt, Error> {
    answers?.pop().unwrap_or(Err(Error::Internal(None)))
}

fn receipt(kept: Result<Vec<Kept>, Error>) -> Result<RenewReceipt, Error> {
    Ok(RenewReceipt { held: kept?.iter().map(Kept::receipt).collect() })
}
