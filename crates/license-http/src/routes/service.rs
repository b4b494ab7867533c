//! The server itself: whether it is well, and what it publishes.

use axum::http::StatusCode;
use axum::response::Response;
use license_types::schemas::{self, Profile};
use license_types::{Health, HealthStatus, ProblemCode, SchemaList};

use crate::answer::{JSON, body, ok};
use crate::assets::{ASSETS, PAGE};
use crate::call::Call;
use crate::failure::Failure;
use crate::routes::Answer;

/// The description of everything that can be asked.
const OPENAPI: &str = include_str!("../generated/openapi.json");

/// `GET /v1/schemas`
pub(super) fn schemas() -> Response {
    ok(&SchemaList { schemas: schemas::NAMES.iter().map(|name| (*name).to_owned()).collect() })
}

/// `GET /v1/schemas/{name}`
pub(super) fn schema(call: &Call) -> Answer {
    let profile = call.parameters.profile.unwrap_or(Profile::Documented);
    match schemas::text(call.name(), profile) {
        Some(text) => Ok(body(StatusCode::OK, "application/schema+json", text)),
        None => {
            let detail = "no schema has this name; /v1/schemas lists them";
            Err(Failure::new(ProblemCode::NotFound, detail))
        }
    }
}

/// `GET /openapi.json`
pub(super) fn openapi() -> Response {
    body(StatusCode::OK, JSON, OPENAPI)
}

/// `GET /healthz`
pub(super) fn health(call: &Call) -> Response {
    ok(&told(call, HealthStatus::Alive))
}

/// `GET /readyz`
pub(super) async fn readiness(call: &Call) -> Answer {
    if call.state.is_draining() {
        return Err(Failure::new(ProblemCode::Draining, "the server is stopping"));
    }
    call.state.pool.licenses_async().await?;
    Ok(ok(&told(call, HealthStatus::Ready)))
}

fn told(call: &Call, status: HealthStatus) -> Health {
    Health {
        status,
        server_name: call.state.pool.server().clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// `GET /`
pub(super) fn page() -> Response {
    body(StatusCode::OK, "text/html; charset=utf-8", PAGE)
}

/// `GET /assets/{asset}`
pub(super) fn asset(call: &Call) -> Answer {
    match ASSETS.iter().find(|asset| asset.name == call.name()) {
        Some(asset) => Ok(body(StatusCode::OK, asset.media, asset.content)),
        None => Err(Failure::new(ProblemCode::NotFound, "the page has no such file")),
    }
}
