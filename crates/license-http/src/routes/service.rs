//! The server itself: health, metrics, schemas, the dashboard, and who else shares the store.

use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use license_types::schemas::{self, Profile};
use license_types::{Health, HealthStatus, ProblemCode, SchemaList};

use crate::answer::{JSON, body, ok};
use crate::assets::{ASSETS, PAGE};
use crate::call::Call;
use crate::failure::Failure;
use crate::metrics::{self, Page, Seen};
use crate::routes::Answer;

/// The OpenAPI description of all operations.
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
    if call.state.pool.readiness().await?.skew.is_some() {
        let detail =
            "the clock jumped ahead and is not believed until it has stood for ten minutes";
        return Err(Failure::new(ProblemCode::ClockSkew, detail));
    }
    Ok(ok(&told(call, HealthStatus::Ready)))
}

fn told(call: &Call, status: HealthStatus) -> Health {
    Health {
        status,
        server_name: call.state.pool.server().clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// `GET /v1/servers`
pub(super) async fn servers(call: &Call) -> Answer {
    Ok(ok(&call.state.pool.servers().await?))
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

/// How many licenses have figures, to bound the number of labels.
const LICENSES_MAX: usize = 100;

/// `GET /metrics`
pub(super) async fn metrics(call: &Call) -> Answer {
    let pool = &call.state.pool;
    let now = call.state.options.clock.now();
    let today = now.to_zoned(TimeZone::UTC).start_of_day().map_or(now, |day| day.timestamp());
    let mut seen = Vec::new();
    for number in pool.licenses_async().await?.into_iter().take(LICENSES_MAX) {
        let pool = pool.license(number);
        match pool.info_async().await {
            Ok(Some(info)) => {
                let days = pool.days(today..Timestamp::MAX).await?;
                let peaks = days.iter().map(|day| (day.product_id, day.peak_used_count.get()));
                seen.push(Seen { info, peaks: peaks.collect() });
            }
            // A faulted license must not hide the others.
            Ok(None) | Err(license_pool::Error::LedgerFaulted { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut page = Page::default();
    metrics::licenses(&seen, now, &mut page);
    let products = seen.iter().flat_map(|seen| &seen.info.products).map(|product| product.id);
    call.state.counters.write(products, &mut page);
    metrics::alarms(&pool.alarms(), &mut page);
    metrics::commits(&pool.commits().await?, &mut page);
    Ok(body(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", page.into_text()))
}
