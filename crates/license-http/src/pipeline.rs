//! The way that every request goes, in the order in which problems are told.

use std::error::Error;
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::Request;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use license_types::{ProblemCode, RetainRequest};
use license_validate::{Profile, Unfit, Validator};
use tokio::time::timeout;

use crate::answer::secured;
use crate::call::Call;
use crate::failure::Failure;
use crate::operation::{self, Operation};
use crate::parameters::Parameters;
use crate::state::{Inner, State};
use crate::{checked, limits, routes, screen};

/// Answers one request.
pub(crate) async fn answer(operation: Operation, state: State, request: Request<Body>) -> Response {
    let begun = Instant::now();
    let response = match asked(operation, state.clone(), request).await {
        Ok(call) => routes::answer(call).await,
        Err(failure) => Err(failure),
    };
    let response = secured(response.unwrap_or_else(Failure::into_response));
    state.counters.answered(Some(operation), response.status().as_u16(), begun.elapsed());
    if cfg!(debug_assertions) {
        checked::checked(Some(operation), response).await
    } else {
        response
    }
}

/// Reads a request and sees who asks.
async fn asked(
    operation: Operation,
    state: State,
    request: Request<Body>,
) -> Result<Call, Failure> {
    let (mut parts, body) = request.into_parts();
    let origin = screen::screened(&parts, &state.options)?;
    let path = RawPathParams::from_request_parts(&mut parts, &()).await;
    let path = path.map_err(|_| Failure::bad_request("the path is not UTF-8"))?;
    let parameters = Parameters::read(operation, path.iter(), parts.uri.query())?;
    let body = match operation.body() {
        Some(expected) => received(expected, &parts, body, state.options.limits.body).await?,
        None => Bytes::new(),
    };
    let Inner { credentials, options, .. } = &*state;
    let caller = credentials.caller(operation, &parts.headers, origin, options).await;
    let caller = caller.and_then(|caller| caller.permitted(operation).map(|()| caller));
    // The order of problems: what cannot be read comes before who may not ask. A body is only read
    // twice where that is the question.
    let caller = caller.map_err(|failure| unreadable(operation, &body).unwrap_or(failure))?;
    Ok(Call { state, operation, caller, parameters, headers: parts.headers, body })
}

/// The whole body, within its limit.
async fn received(
    expected: operation::Body,
    parts: &Parts,
    body: Body,
    time: Duration,
) -> Result<Bytes, Failure> {
    let too_large = || {
        let detail = format!("the body has more than {} bytes", expected.bytes);
        Failure::new(ProblemCode::PayloadTooLarge, detail)
    };
    // Before any of it is read, which may take long.
    if !body.is_end_stream() {
        screen::body_is_json(&parts.headers)?;
    }
    let declared = parts.headers.get(axum::http::header::CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > expected.bytes) {
        return Err(too_large());
    }
    let body = timeout(time, Limited::new(body, expected.bytes).collect()).await;
    let body = body.map_err(|_| Failure::bad_request("the body did not arrive in time"))?;
    let cut_off = |error: Box<dyn Error + Send + Sync>| match error.is::<LengthLimitError>() {
        true => too_large(),
        false => Failure::bad_request("the body was cut off"),
    };
    let body = body.map_err(cut_off)?;
    let body = body.to_bytes();
    if body.is_empty() && !expected.optional {
        return Err(Failure::bad_request("the request has no body"));
    }
    Ok(body)
}

/// Why a body cannot be read, if it cannot.
fn unreadable(operation: Operation, body: &[u8]) -> Option<Failure> {
    let schema = operation.body()?.schema;
    if body.is_empty() {
        return None;
    }
    let validator = Validator::new(schema, Profile::Documented).expect("the table names a schema");
    if let Err(malformed) = validator.check(body) {
        return Some(Failure::unfit(schema, Unfit::Malformed(malformed)));
    }
    if operation != Operation::Retain {
        return None;
    }
    let RetainRequest { session, reason, .. } = license_validate::parse(body).ok()?;
    limits::texts(&session, reason.as_ref()).err()
}
