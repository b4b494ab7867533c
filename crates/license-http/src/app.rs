//! All routes, made of the table of operations.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::{MethodFilter, MethodRouter, on};
use license_pool::Pool;
use license_types::ProblemCode;

use crate::failure::Failure;
use crate::operation::Operation;
use crate::options::Options;
use crate::pipeline;
use crate::state::State;

/// All that a server answers, without the network around it.
pub fn app(pool: Pool, options: Options) -> Router {
    router(State::new(pool, options))
}

pub(crate) fn router(state: State) -> Router {
    let mut router = Router::new();
    for operation in Operation::ALL {
        router = router.route(operation.path(), route(operation));
    }
    router
        .fallback(async || Failure::new(ProblemCode::NotFound, "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            Failure::new(ProblemCode::MethodNotAllowed, "this path does not take that method")
        })
        .with_state(state)
}

fn route(operation: Operation) -> MethodRouter<State> {
    let filter = match operation.method() {
        "GET" => MethodFilter::GET,
        "POST" => MethodFilter::POST,
        "PUT" => MethodFilter::PUT,
        "DELETE" => MethodFilter::DELETE,
        method => unreachable!("the table has no method {method}"),
    };
    on(
        filter,
        move |axum::extract::State(state): axum::extract::State<State>, request: Request<Body>| {
            pipeline::answer(operation, state, request)
        },
    )
}
