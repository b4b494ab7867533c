//! All routes, made of the table of operations.

use std::time::Instant;

use axum::body::Body;
use axum::http::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Router, extract};
use license_pool::Pool;
use license_types::ProblemCode;

use crate::answer::secured;
use crate::checked;
use crate::failure::Failure;
use crate::operation::Operation;
use crate::options::Options;
use crate::pipeline;
use crate::screen;
use crate::state::State;

/// All that a server answers, without the network around it. Each request bears its [`Ends`] as an
/// extension: without, nobody knows where it comes from, and it needs a credential.
///
/// [`Ends`]: crate::Ends
pub fn app(pool: Pool, options: Options) -> Router {
    router(State::new(pool, options))
}

pub(crate) fn router(state: State) -> Router {
    let mut router = Router::new();
    for operation in Operation::ALL {
        router = router.route(operation.path(), route(operation));
    }
    router
        .fallback(|state, request| elsewhere(state, request, ProblemCode::NotFound))
        .method_not_allowed_fallback(|state, request| {
            elsewhere(state, request, ProblemCode::MethodNotAllowed)
        })
        .with_state(state)
}

/// What is asked of nothing that is here.
async fn elsewhere(
    extract::State(state): extract::State<State>,
    request: Request<Body>,
    code: ProblemCode,
) -> Response {
    let begun = Instant::now();
    let (parts, _) = request.into_parts();
    let failure = match screen::screened(&parts, &state.options) {
        Ok(_) if code == ProblemCode::NotFound => {
            Failure::new(code, "there is nothing at this path")
        }
        Ok(_) => Failure::new(code, "this path does not take that method"),
        Err(failure) => failure,
    };
    let response = secured(failure.into_response());
    state.counters.answered(None, response.status().as_u16(), begun.elapsed());
    if cfg!(debug_assertions) { checked::checked(None, response).await } else { response }
}

fn route(operation: Operation) -> MethodRouter<State> {
    let filter = match operation.method() {
        "GET" => MethodFilter::GET,
        "POST" => MethodFilter::POST,
        "PUT" => MethodFilter::PUT,
        "DELETE" => MethodFilter::DELETE,
        method => unreachable!("the table has no method {method}"),
    };
    on(filter, move |extract::State(state): extract::State<State>, request: Request<Body>| {
        pipeline::answer(operation, state, request)
    })
}
