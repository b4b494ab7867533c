//! Operations on sessions: retain, renew and release.
//!
//! A retain with `?wait=` stays in the pool's line until a license is granted, the time is over, the
//! server begins to stop, or the caller's credential ends. When it asks again soon, it keeps its place
//! in line, so that a long wait may consist of several requests.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::StatusCode;
use license_pool::{Error, Pool, Refusal, Release, Retain, Target};
use license_types::{
    Problem, ProblemCode, ProductId, ReleaseCause, RenewListReceipt, RenewListRequest,
    RenewReceipt, RenewRequest, RenewResult, RenewedLease, RetainReceipt, RetainRequest, SessionId,
};

use crate::answer::{JSON, body, ok};
use crate::call::Call;
use crate::failure::Failure;
use crate::limits;
use crate::routes::Answer;
use crate::state::State;

/// The longest wait of one request. To wait longer, a client asks again, and keeps its place in line.
const WAIT_MAX: Duration = Duration::from_secs(600);

/// `PUT /v1/licenses/{n}/sessions/{sid}/products/{id}`
pub(super) async fn retain(call: &Call) -> Answer {
    let RetainRequest { reason, session: description, lease_seconds } = call.retain_request()?;
    limits::texts(&description, reason.as_ref())?;
    let (pool, session, product) = (call.own_pool(), call.session(), call.product());
    if call.state.is_draining() && !holds(&pool, &session, product).await? {
        return Err(draining());
    }
    let mut retain = Retain::new(product, session, description);
    if let Some(reason) = reason {
        retain.reason = Arc::new(reason);
    }
    retain.lease_seconds = Some(lease_seconds.unwrap_or(call.state.options.lease));
    retain.max_seats = call.caller.max_seats;
    let wait = call.parameters.wait.map(|wait| wait.min(WAIT_MAX)).filter(|wait| !wait.is_zero());
    let granted = match wait {
        None => pool.grant(retain, None).await,
        Some(_) => {
            let _waiting = Waiting::begin(&call.state);
            tokio::select! {
                // A grant is answered, even if something else ends the wait at the same time.
                biased;
                granted = pool.grant(retain, wait) => granted,
                () = call.state.drained() => return Err(draining()),
                failure = call.ended() => return Err(failure),
            }
        }
    };
    let granted = granted.inspect_err(|error| count(call, error))?;
    let status = if granted.new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(body(status, JSON, granted.to_json()))
}

/// Counts a refused retain, if what it lacked was a license: permission and the like do not count.
fn count(call: &Call, error: &Error) {
    let Error::Refused(refusal) = error else { return };
    match refusal {
        Refusal::UnknownProduct { .. }
        | Refusal::OverMaximum { .. }
        | Refusal::LicenseExpired { .. }
        | Refusal::NoLicenseLeft { .. } => {
            call.state.counters.refused(call.product(), refusal.code());
        }
        Refusal::UnknownLicense { .. }
        | Refusal::NotPermitted { .. }
        | Refusal::NotRetained { .. }
        | Refusal::InUse { .. } => {}
    }
}

/// Counts a request as waiting, for as long as this lives.
struct Waiting<'a>(&'a State);

impl Waiting<'_> {
    fn begin(state: &State) -> Waiting<'_> {
        state.counters.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(state)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.counters.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether a session holds a product: then it may renew even while the server stops.
async fn holds(pool: &Pool, session: &SessionId, product: ProductId) -> Result<bool, Failure> {
    match pool.session(session.clone()).await {
        Ok(RenewReceipt { held }) => {
            Ok(held.iter().any(|receipt| receipt.retention.product_id == product))
        }
        Err(Error::Refused(Refusal::NotRetained { .. })) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn draining() -> Failure {
    let detail = "the server is stopping and grants nothing new: ask another";
    Failure::new(ProblemCode::Draining, detail).retry_after(1)
}

/// `GET /v1/licenses/{n}/sessions/{sid}`
pub(super) async fn show(call: &Call) -> Answer {
    let pool = if call.caller.reads_everything() { call.pool() } else { call.own_pool() };
    Ok(ok(&pool.session(call.session()).await?))
}

/// `POST /v1/licenses/{n}/sessions/{sid}/renew`
pub(super) async fn renew(call: &Call) -> Answer {
    let RenewRequest { state } = call.body_or(RenewRequest { state: None })?;
    let receipt = call.own_pool().renew_async(call.session().as_str(), state).await?;
    Ok(ok(&receipt))
}

/// `POST /v1/licenses/{n}/renew`
pub(super) async fn renew_list(call: &Call) -> Answer {
    let RenewListRequest { sessions } = call.body()?;
    limits::sessions(&sessions)?;
    let asked: Vec<_> =
        sessions.into_iter().map(|renewal| (renewal.session_id, renewal.state)).collect();
    let names: Vec<SessionId> = asked.iter().map(|(session, _)| session.clone()).collect();
    let pool = call.own_pool();
    // A license that is not there concerns the request, not each session of it.
    pool.held_page(None, 0, None, None).await?;
    let mut results = Vec::with_capacity(names.len());
    for (session_id, renewed) in names.into_iter().zip(pool.renew_all(asked).await?) {
        let (held, problem) = match renewed {
            Ok(receipt) => (Some(leases(receipt)), None),
            Err(error) => (None, Some(told(error)?)),
        };
        results.push(RenewResult { session_id, held, problem });
    }
    Ok(ok(&RenewListReceipt { sessions: results }))
}

fn leases(receipt: RenewReceipt) -> Vec<RenewedLease> {
    let lease = |receipt: RetainReceipt| RenewedLease {
        product_id: receipt.retention.product_id,
        token: receipt.retention.token,
        lease: receipt.lease,
    };
    receipt.held.into_iter().map(lease).collect()
}

/// The problem of one session in a list. An error that concerns all of them fails the request.
fn told(error: Error) -> Result<Problem, Failure> {
    let of_one = matches!(error, Error::Refused(_));
    let failure = Failure::from(error);
    if of_one { Ok(*failure.problem) } else { Err(failure) }
}

/// `DELETE /v1/licenses/{n}/sessions/{sid}` and `…/products/{id}`
pub(super) async fn release(call: &Call) -> Answer {
    let target = Target::Session {
        session: Arc::new(call.session()),
        product: call.parameters.product,
        token: call.parameters.token,
    };
    let (pool, mut release) = (call.own_pool(), Release::new(target));
    match pool.release_with(release.clone()).await {
        // An administrator may revoke each of its licenses, so also all of them at once.
        Err(Error::Refused(Refusal::NotPermitted { .. })) if call.caller.administers() => {
            release.cause = ReleaseCause::Revoked;
            Ok(ok(&pool.release_with(release).await?))
        }
        released => Ok(ok(&released?)),
    }
}

/// `DELETE /v1/licenses/{n}/retentions/{token}`
pub(super) async fn revoke(call: &Call) -> Answer {
    let mut release = Release::new(Target::Token(call.token()));
    release.cause = ReleaseCause::Revoked;
    release.note = call.parameters.note.as_deref().map(Arc::from);
    Ok(ok(&call.own_pool().release_with(release).await?))
}
