//! The way that every request goes, in the order in which problems are told.

use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::Request;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use license_types::ProblemCode;
use license_validate::{Profile, Unfit, Validator};

use crate::call::Call;
use crate::credentials::Caller;
use crate::failure::Failure;
use crate::operation::{self, Operation};
use crate::parameters::Parameters;
use crate::state::State;
use crate::{routes, screen};

/// Answers one request.
pub(crate) async fn answer(operation: Operation, state: State, request: Request<Body>) -> Response {
    let response = match asked(operation, state, request).await {
        Ok(call) => routes::answer(call).await,
        Err(failure) => Err(failure),
    };
    let response = response.unwrap_or_else(Failure::into_response);
    #[cfg(debug_assertions)]
    let response = crate::checked::checked(operation, response).await;
    response
}

/// Reads a request and sees who asks.
async fn asked(
    operation: Operation,
    state: State,
    request: Request<Body>,
) -> Result<Call, Failure> {
    let (mut parts, body) = request.into_parts();
    let path = RawPathParams::from_request_parts(&mut parts, &()).await;
    let path = path.map_err(|_| Failure::bad_request("the path is not UTF-8"))?;
    let parameters = Parameters::read(operation, path.iter(), parts.uri.query())?;
    let body = match operation.body() {
        Some(expected) => received(expected, &parts, body).await?,
        None => Bytes::new(),
    };
    let caller = authenticated(&state, operation);
    // The order of problems: what cannot be read comes before who may not ask. A body is only read
    // twice where that is the question.
    let caller = match caller {
        Ok(caller) => caller,
        Err(failure) => return Err(unreadable(operation, &body).unwrap_or(failure)),
    };
    Ok(Call { state, operation, caller, parameters, headers: parts.headers, body })
}

fn authenticated(_state: &State, operation: Operation) -> Result<Caller, Failure> {
    let caller = Caller::anybody();
    caller.permitted(operation)?;
    Ok(caller)
}

/// The whole body, within its limit.
async fn received(expected: operation::Body, parts: &Parts, body: Body) -> Result<Bytes, Failure> {
    let too_large = || {
        let detail = format!("the body has more than {} bytes", expected.bytes);
        Failure::new(ProblemCode::PayloadTooLarge, detail)
    };
    let declared = parts.headers.get(axum::http::header::CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > expected.bytes) {
        return Err(too_large());
    }
    let body =
        Limited::new(body, expected.bytes).collect().await.map_err(|error| match error
            .downcast_ref::<LengthLimitError>(
        ) {
            Some(_) => too_large(),
            None => Failure::bad_request("the body was cut off"),
        })?;
    let body = body.to_bytes();
    match (body.is_empty(), expected.optional) {
        (true, true) => {}
        (true, false) => return Err(Failure::bad_request("the request has no body")),
        (false, _) => screen::body_is_json(&parts.headers)?,
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
    validator.check(body).err().map(|malformed| Failure::unfit(schema, Unfit::Malformed(malformed)))
}
