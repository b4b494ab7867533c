//! The steps that every request takes. Their order decides which problem a request with several is
//! answered with: screening (403, 415), routing (404, 405), parameters and body (400, 413), credential
//! (401, 403, 429), and then whatever the operation finds.

use std::time::{Duration, Instant};

use axum::BoxError;
use axum::body::HttpBody;
use axum::http::{HeaderMap, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use license_types::{ProblemCode, RenewListRequest, RetainRequest};
use license_validate::{Profile, Unfit, Validator};
use tokio::time::timeout;

use crate::answer::secured;
use crate::call::Call;
use crate::failure::Failure;
use crate::operation::{self, Operation};
use crate::parameters::Parameters;
use crate::routes::Answer;
use crate::routing::Asked;
use crate::screen::{Ends, Origin};
use crate::state::{Inner, State};
use crate::{checked, limits, routes, routing, screen};

/// Answers one request, which came over a connection with these ends, if they are known.
pub(crate) async fn answer<B>(state: State, ends: Option<Ends>, request: Request<B>) -> Response
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>>,
{
    let begun = Instant::now();
    let (parts, body) = request.into_parts();
    let origin = screen::screened(&parts, ends, &state.options);
    // Checked even if the operation reads no body, and before reading it, which may take long.
    let origin = origin.and_then(|origin| match body.is_end_stream() {
        true => Ok(origin),
        false => screen::body_is_json(&parts.headers).map(|()| origin),
    });
    let (operation, answer) = match routing::asked(&parts.method, parts.uri.path()) {
        Asked::Operation(operation, path) => {
            let read = origin.and_then(|origin| {
                let mut parameters = Parameters::read(operation, path.iter(), parts.uri.query())?;
                if operation == Operation::FollowEvents {
                    parameters.resume(&parts.headers)?;
                }
                Ok((origin, parameters))
            });
            let answer = match read {
                Ok(read) => performed(operation, &state, read, parts.headers, body).await,
                Err(failure) => Err(failure),
            };
            (Some(operation), answer)
        }
        Asked::Nothing => {
            let failure = Failure::new(ProblemCode::NotFound, "there is nothing at this path");
            (None, origin.and(Err(failure)))
        }
        Asked::OtherMethod(allowed) => {
            let detail = "this path does not take that method";
            let failure = Failure::new(ProblemCode::MethodNotAllowed, detail).allow(allowed);
            (None, origin.and(Err(failure)))
        }
    };
    let response = secured(answer.unwrap_or_else(Failure::into_response));
    state.counters.answered(operation, response.status().as_u16(), begun.elapsed());
    if cfg!(debug_assertions) { checked::checked(operation, response).await } else { response }
}

/// Reads the body, finds out who asks, and performs the operation.
async fn performed<B>(
    operation: Operation,
    state: &State,
    (origin, parameters): (Origin, Parameters),
    headers: HeaderMap,
    body: B,
) -> Answer
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>>,
{
    let body = match operation.body() {
        Some(expected) => received(expected, &headers, body, state.options.limits.body).await?,
        None => Bytes::new(),
    };
    let Inner { credentials, options, .. } = &**state;
    let caller = credentials.caller(operation, &headers, origin, options).await;
    let caller = caller.and_then(|caller| caller.permitted(operation).map(|()| caller));
    // The order of problems: what cannot be read comes before who may not ask. A body is only read
    // twice where that is the question.
    let caller =
        caller.map_err(|failure| unreadable(state, operation, &body).unwrap_or(failure))?;
    let state = state.clone();
    routes::answer(Call { state, operation, caller, parameters, headers, body }).await
}

/// The whole body, if it arrives in time and is not longer than the table allows.
async fn received<B>(
    expected: operation::Body,
    headers: &HeaderMap,
    body: B,
    time: Duration,
) -> Result<Bytes, Failure>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>>,
{
    let too_large = || {
        let detail = format!("the body has more than {} bytes", expected.bytes);
        Failure::new(ProblemCode::PayloadTooLarge, detail)
    };
    let declared = headers.get(axum::http::header::CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > expected.bytes) {
        return Err(too_large());
    }
    let body = timeout(time, Limited::new(body, expected.bytes).collect()).await;
    let body = body.map_err(|_| Failure::bad_request("the body did not arrive in time"))?;
    let cut_off = |error: BoxError| match error.is::<LengthLimitError>() {
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

/// Why a body cannot be read, if it cannot; or asks for what is refused however it stands.
fn unreadable(state: &State, operation: Operation, body: &[u8]) -> Option<Failure> {
    let schema = operation.body()?.schema;
    if body.is_empty() {
        return None;
    }
    // A license is read in a way of its own.
    if operation == Operation::InstallLicense {
        let failure = Failure::from(state.pool.check_document(body).err()?);
        return Some(failure).filter(|failure| failure.problem.code == ProblemCode::BadRequest);
    }
    let validator = Validator::new(schema, Profile::Documented).expect("the table names a schema");
    if let Err(malformed) = validator.check(body) {
        return Some(Failure::unfit(schema, Unfit::Malformed(malformed)));
    }
    match operation {
        Operation::Retain => {
            let RetainRequest { session, reason, .. } = license_validate::parse(body).ok()?;
            limits::texts(&session, reason.as_ref()).err()
        }
        Operation::RenewSessions => {
            let RenewListRequest { sessions } = license_validate::parse(body).ok()?;
            limits::sessions(&sessions).err()
        }
        _ => None,
    }
}
