//! In debug builds, judges every answer by the table of operations: its status, media type, schema and
//! problem code must be promised there. One that is not becomes a 500, so that no test can overlook it.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use license_types::ProblemCode;
use license_validate::{Profile, Validator};

use crate::answer::{EVENTS, NDJSON};
use crate::failure::{Failure, PROBLEM};
use crate::operation::{Answered, Operation};

/// The codes that a request can be answered with before its operation is known.
const ELSEWHERE: &[ProblemCode] = &[
    ProblemCode::BadRequest,
    ProblemCode::NotPermitted,
    ProblemCode::NotFound,
    ProblemCode::MethodNotAllowed,
    ProblemCode::UnsupportedMediaType,
];

/// The answer itself, or a 500 that says what is wrong with it. `operation` is none if the request
/// asked for none.
pub(crate) async fn checked(operation: Option<Operation>, response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let status = parts.status.as_u16();
    let media = parts.headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok());
    let media = media.unwrap_or_default().split(';').next().unwrap_or_default().to_owned();
    let (answers, codes) = match operation {
        Some(operation) => (operation.answers(), operation.codes()),
        None => (&[][..], ELSEWHERE),
    };
    let promised = |answered: &&Answered| {
        answered.status == status && (answered.media == media || answered.media == "*/*")
    };
    let schema = match answers.iter().find(promised) {
        // Streams are judged line by line, where they are written.
        Some(Answered { media: NDJSON | EVENTS, .. } | Answered { schema: None, .. }) => None,
        Some(Answered { schema, .. }) => *schema,
        None if media == PROBLEM => Some("problem"),
        None => return fault(operation, &format!("{status} {media} is not promised")),
    };
    let Some(schema) = schema else { return Response::from_parts(parts, body) };
    let Ok(body) = body.collect().await else { return fault(operation, "its body breaks off") };
    let body = body.to_bytes();
    let validator = Validator::new(schema, Profile::Documented).expect("the schema is published");
    let told = match validator.check(&body) {
        Ok(violations) if violations.is_empty() => None,
        Ok(violations) => Some(format!("{violations:?}")),
        Err(malformed) => Some(malformed.to_string()),
    };
    if let Some(told) = told {
        return fault(operation, &format!("{status} breaks {schema}: {told}"));
    }
    if schema == "problem" {
        let is_promised = codes.iter().any(|code| {
            code.status() == status && contains(&body, &format!("\"code\":\"{code}\""))
        });
        if !is_promised {
            let body = String::from_utf8_lossy(&body);
            return fault(operation, &format!("this problem is not promised: {body}"));
        }
    }
    Response::from_parts(parts, Body::from(body))
}

/// Panics in debug builds if a line of a stream breaks its schema.
pub(crate) fn check_line(schema: &str, line: &[u8]) {
    if !cfg!(debug_assertions) {
        return;
    }
    let validator = Validator::new(schema, Profile::Documented).expect("the schema is published");
    let violations = validator.check(line);
    assert!(
        violations.as_ref().is_ok_and(Vec::is_empty),
        "a line breaks {schema}: {violations:?}: {}",
        String::from_utf8_lossy(line)
    );
}

fn contains(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|window| window == text.as_bytes())
}

fn fault(operation: Option<Operation>, told: &str) -> Response {
    let name = operation.map_or("elsewhere", Operation::name);
    Failure::internal(format!("{name}: {told}")).into_response()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn what_is_answered_elsewhere_is_judged_too() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let status = |response| runtime.block_on(checked(None, response)).status().as_u16();
        let problem = |code| Failure::new(code, "there is nothing").into_response();
        assert_eq!(status(problem(ProblemCode::NotFound)), 404);
        assert_eq!(status(problem(ProblemCode::NotRetained)), 500);
        let mut text = Response::new(Body::from("nothing"));
        *text.status_mut() = axum::http::StatusCode::NOT_FOUND;
        assert_eq!(status(text), 500);
    }
}
