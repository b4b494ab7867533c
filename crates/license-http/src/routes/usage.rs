//! License usage: who holds what now.

use axum::http::StatusCode;
use license_pool::Held;

use crate::answer::{JSON, NDJSON, body};
use crate::call::Call;
use crate::routes::Answer;

/// All servers, where the query names one.
const ALL: &str = "all";

/// `GET /v1/licenses/{n}/usage`
pub(super) async fn show(call: &Call) -> Answer {
    let server = match call.parameters.server.as_deref() {
        None => Some(call.state.pool.server().as_str().to_owned()),
        Some(ALL) => None,
        Some(name) => Some(name.to_owned()),
    };
    let mut held = call.pool().held_async(server.as_deref()).await?;
    if let Some(product) = call.parameters.product {
        held.retain(|held| held.record.product == product);
    }
    let records = held.iter().map(Held::to_json);
    if call.wants(NDJSON) {
        let lines: String = records.map(|record| record + "\n").collect();
        return Ok(body(StatusCode::OK, NDJSON, lines));
    }
    let records: Vec<String> = records.collect();
    Ok(body(StatusCode::OK, JSON, format!("[{}]", records.join(","))))
}
