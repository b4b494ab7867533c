//! Whether a request is for this server at all, and comes from where it may.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use license_types::ProblemCode;

use crate::answer::JSON;
use crate::failure::Failure;

/// A body must say that it is JSON: a foreign page can send no such request without asking first.
pub(crate) fn body_is_json(headers: &HeaderMap) -> Result<(), Failure> {
    let media = headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
    let kind = media.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case(JSON) {
        return Ok(());
    }
    let detail = "the body must be JSON and say so: Content-Type: application/json";
    Err(Failure::new(ProblemCode::UnsupportedMediaType, detail))
}
