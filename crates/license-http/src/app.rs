//! The whole API as a service, without the network around it: for tests, and to embed in another server.

use axum::body::Body;
use axum::http::Request;
use axum::{Router, extract};
use license_pool::Pool;

use crate::options::Options;
use crate::pipeline;
use crate::screen::Ends;
use crate::state::State;

/// The whole API as a service, without the network around it.
///
/// Each request should have its [`Ends`] as an extension. Without them its origin is unknown, so it
/// needs a credential.
pub fn app(pool: Pool, options: Options) -> Router {
    Router::new().fallback(answer).with_state(State::new(pool, options))
}

async fn answer(
    extract::State(state): extract::State<State>,
    request: Request<Body>,
) -> axum::response::Response {
    let ends = request.extensions().get::<Ends>().copied();
    pipeline::answer(state, ends, request).await
}
