//! Why a request was refused or failed: the problem for the caller, and what only the log may say.

use std::error::Error as StdError;

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use license_pool::{Error, InstallError, Refusal};
use license_types::{Count, HttpStatus, Problem, ProblemCode, Violation};
use license_validate::{Malformed, Unfit};

/// The media type of a problem (RFC 9457).
pub(crate) const PROBLEM: &str = "application/problem+json";

/// A request that was refused or failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) problem: Box<Problem>,
    /// For `Retry-After`.
    retry_after_seconds: Option<u64>,
    /// For `Allow`: the methods that the path takes.
    allow: Vec<&'static str>,
    /// What the log says beyond the problem.
    private: Option<String>,
}

impl Failure {
    /// A failure with this code; `detail` says what happened this time, and the cure.
    pub(crate) fn new(code: ProblemCode, detail: impl Into<String>) -> Failure {
        let status = HttpStatus::new(code.status().into()).expect("every code has a status");
        let problem = Box::new(Problem {
            type_: "about:blank".to_owned(),
            title: code.title().to_owned(),
            status,
            code,
            detail: detail.into(),
            allowed_count: None,
            used_count: None,
            license_numbers: None,
            violations: None,
        });
        Failure { problem, retry_after_seconds: None, allow: Vec::new(), private: None }
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Failure {
        Failure::new(ProblemCode::BadRequest, detail)
    }

    /// A mistake of ours; `private` goes to the log alone.
    pub(crate) fn internal(private: impl Into<String>) -> Failure {
        let detail = "the server made a mistake and took it back; its log says more";
        Failure::new(ProblemCode::Internal, detail).private(private)
    }

    pub(crate) fn malformed(malformed: &Malformed) -> Failure {
        Failure::bad_request(format!(
            "the body is no JSON: {malformed}; {}",
            malformed.problem.cure()
        ))
    }

    pub(crate) fn violations(schema: &str, violations: Vec<Violation>) -> Failure {
        let detail = format!("the body does not conform to /v1/schemas/{schema}");
        let mut failure = Failure::new(ProblemCode::SchemaViolation, detail);
        failure.problem.violations = Some(violations);
        failure
    }

    /// A body that is not what `schema` asks for.
    pub(crate) fn unfit(schema: &str, unfit: Unfit) -> Failure {
        match unfit {
            Unfit::Malformed(malformed) => Failure::malformed(&malformed),
            Unfit::Violations(violations) => Failure::violations(schema, violations),
        }
    }

    pub(crate) fn allow(mut self, methods: Vec<&'static str>) -> Failure {
        self.allow = methods;
        self
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Failure {
        self.retry_after_seconds = Some(seconds);
        self
    }

    fn private(mut self, text: impl Into<String>) -> Failure {
        self.private = Some(text.into());
        self
    }

    /// An error of the pool: the caller gets its own message, the log its sources as well.
    fn because(code: ProblemCode, error: &Error) -> Failure {
        let failure = Failure::new(code, error.to_string());
        match error.source() {
            Some(source) => failure.private(chain(source)),
            None => failure,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match &error {
            Error::Refused(refusal) => refused(refusal),
            Error::Input(_)
            | Error::TooLong { .. }
            | Error::NumberTaken { .. }
            | Error::NumberReplaced { .. } => Failure::bad_request(error.to_string()),
            Error::Signature(source) => Failure::bad_request(format!("{error}: {}", chain(source))),
            Error::Document(reason) => not_a_license(reason),
            Error::AmbiguousLicense { numbers } => {
                let mut failure = Failure::because(ProblemCode::AmbiguousLicense, &error);
                failure.problem.license_numbers = Some(numbers.clone());
                failure
            }
            Error::LedgerFaulted { .. } => Failure::because(ProblemCode::LedgerFaulted, &error),
            Error::StoreUnavailable(_) | Error::Fenced(_) => {
                Failure::because(ProblemCode::StoreUnavailable, &error).retry_after(1)
            }
            Error::Sealed { .. } => Failure::because(ProblemCode::StoreUnavailable, &error),
            // This names the process that keeps the store busy, so that somebody can look at it.
            Error::StoreBusy(busy) => {
                Failure::new(ProblemCode::StoreBusy, busy.to_string()).retry_after(1)
            }
            Error::ClockSkew { .. } => {
                Failure::because(ProblemCode::ClockSkew, &error).retry_after(RETRY_SECONDS)
            }
            Error::QueueFull { .. } => {
                Failure::because(ProblemCode::QueueFull, &error).retry_after(RETRY_SECONDS)
            }
            Error::OutcomeUnknown(_) => {
                Failure::because(ProblemCode::OutcomeUnknown, &error).retry_after(1)
            }
            Error::Closed => {
                Failure::new(ProblemCode::StoreUnavailable, "the server is stopping").retry_after(1)
            }
            Error::Internal(_) => Failure::because(ProblemCode::Internal, &error),
        }
    }
}

fn refused(refusal: &Refusal) -> Failure {
    let mut failure = Failure::new(refusal.code(), refusal.to_string());
    match refusal {
        Refusal::NoLicenseLeft { allowed_count, used_count, .. } => {
            failure.problem.allowed_count = Count::new(*allowed_count).ok();
            failure.problem.used_count = Count::new(*used_count).ok();
            failure.retry_after(RETRY_SECONDS)
        }
        Refusal::InUse { held } => {
            failure.problem.used_count = Count::new(*held).ok();
            failure
        }
        Refusal::UnknownLicense { .. }
        | Refusal::NotPermitted { .. }
        | Refusal::NotRetained { .. }
        | Refusal::UnknownProduct { .. }
        | Refusal::OverMaximum { .. }
        | Refusal::LicenseExpired { .. } => failure,
    }
}

/// What `Retry-After` says when it is unknown how long to wait, as when no license is left.
const RETRY_SECONDS: u64 = 5;

fn not_a_license(reason: &InstallError) -> Failure {
    let at = match reason {
        InstallError::NotText { .. } | InstallError::Json { .. } | InstallError::Signed { .. } => {
            return Failure::bad_request(chain(reason));
        }
        InstallError::Shape { at, .. }
        | InstallError::NoSuchDate { at, .. }
        | InstallError::RepeatedProduct { at, .. } => at,
        InstallError::ReservedNumber { .. } | InstallError::LongNumber { .. } => "/licenseNumber",
    };
    let unknown = || Count::new(0).expect("0 is a count");
    let violation = Violation {
        file: None,
        instance_path: at.to_owned(),
        schema_path: String::new(),
        line: unknown(),
        column: unknown(),
        message: reason.to_string(),
        shape: None,
    };
    let mut failure = Failure::new(ProblemCode::SchemaViolation, chain(reason));
    failure.problem.violations = Some(vec![violation]);
    failure
}

/// `error: its source: the source of that`.
pub(crate) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let code = self.problem.code;
        // `draining` is a 503 in the course of a normal stop: nothing failed.
        if code.status() >= 500 && code != ProblemCode::Draining {
            let private = self.private.as_deref();
            tracing::error!(code = code.as_str(), detail = self.problem.detail, private, "failed");
        }
        let text = serde_json::to_vec(&self.problem).expect("a problem has only text keys");
        let mut response = Response::new(Body::from(text));
        *response.status_mut() =
            StatusCode::from_u16(code.status()).expect("every code has a status");
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if !self.allow.is_empty() {
            let methods = self.allow.join(",");
            headers.insert(ALLOW, HeaderValue::from_str(&methods).expect("methods are words"));
        }
        if code == ProblemCode::Unauthorized {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
