//! Sessions: what they retain, renew and release.

use std::sync::Arc;

use axum::http::StatusCode;
use license_pool::{Held, Refusal, Release, Retain, Target};
use license_types::{
    Problem, ProblemCode, ReleaseCause, RenewListReceipt, RenewListRequest, RenewReceipt,
    RenewRequest, RenewResult, RenewedLease, RetainReceipt, RetainRequest, SessionRenewal,
};

use crate::answer::{json, ok};
use crate::call::Call;
use crate::failure::Failure;
use crate::limits;
use crate::routes::Answer;

/// `PUT /v1/licenses/{n}/sessions/{sid}/products/{id}`
pub(super) async fn retain(call: &Call) -> Answer {
    let RetainRequest { reason, session: description, lease_seconds } = call.body()?;
    limits::texts(&description, reason.as_ref())?;
    let (pool, session, product) = (call.own_pool(), call.session(), call.product());
    if call.state.is_draining() {
        // Who holds it already only renews.
        let held = pool.session_async(session.clone()).await?;
        if !held.iter().any(|held| held.record.product == product) {
            let detail = "the server is stopping and grants nothing new: ask another";
            return Err(Failure::new(ProblemCode::Draining, detail).retry_after(1));
        }
    }
    let mut retain = Retain::new(product, session, description);
    if let Some(reason) = reason {
        retain.reason = Arc::new(reason);
    }
    retain.lease_seconds = Some(lease_seconds.unwrap_or(call.state.options.lease));
    retain.max_seats = call.caller.max_seats;
    let seat = pool.retain_with(retain).await?;
    let status = if seat.is_new() { StatusCode::CREATED } else { StatusCode::OK };
    let receipt = seat.receipt();
    seat.keep();
    Ok(json(status, &receipt))
}

/// `GET /v1/licenses/{n}/sessions/{sid}`
pub(super) async fn show(call: &Call) -> Answer {
    let pool = if call.caller.reads_everything() { call.pool() } else { call.own_pool() };
    let session = call.session();
    let held = pool.session_async(session.clone()).await?;
    if held.is_empty() {
        let session = Some(Arc::new(session));
        let refusal = Refusal::NotRetained { session, product: None, token: None };
        return Err(license_pool::Error::Refused(refusal).into());
    }
    let receipt = |held: &Held| RetainReceipt { retention: held.retention(), lease: None };
    Ok(ok(&RenewReceipt { held: held.iter().map(receipt).collect() }))
}

/// `POST /v1/licenses/{n}/sessions/{sid}/renew`
pub(super) async fn renew(call: &Call) -> Answer {
    let RenewRequest { state } = call.body_or(RenewRequest { state: None })?;
    let receipt = call.own_pool().renew_async(call.session().as_str(), state).await?;
    Ok(ok(&receipt))
}

/// A list is no longer than this.
const SESSIONS_MAX: usize = 1000;

/// `POST /v1/licenses/{n}/renew`
pub(super) async fn renew_list(call: &Call) -> Answer {
    let RenewListRequest { sessions } = call.body()?;
    if sessions.len() > SESSIONS_MAX {
        let detail = format!("the list has more than {SESSIONS_MAX} sessions: send several");
        return Err(Failure::bad_request(detail));
    }
    let pool = call.own_pool();
    // A license that is not there concerns the request, not each session of it.
    pool.head_async().await?;
    let asked: Vec<_> = sessions
        .into_iter()
        .map(|SessionRenewal { session_id, state }| {
            let pending = pool.renew_async(session_id.as_str(), state);
            (session_id, pending)
        })
        .collect();
    let mut results = Vec::with_capacity(asked.len());
    for (session_id, pending) in asked {
        let (held, problem) = match pending.await {
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

/// What concerns one session is told of that one; what concerns all fails the request.
fn told(error: license_pool::Error) -> Result<Problem, Failure> {
    let of_one = matches!(error, license_pool::Error::Refused(_));
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
    Ok(ok(&call.own_pool().release_with(Release::new(target)).await?))
}

/// `DELETE /v1/licenses/{n}/retentions/{token}`
pub(super) async fn revoke(call: &Call) -> Answer {
    let mut release = Release::new(Target::Token(call.token()));
    release.cause = ReleaseCause::Revoked;
    release.note = call.parameters.note.as_deref().map(Arc::from);
    Ok(ok(&call.own_pool().release_with(release).await?))
}
