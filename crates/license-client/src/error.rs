//! Why a request failed.

use std::error::Error as StdError;
use std::sync::Arc;

use license_types::{Invalid, Problem, ProblemCode};

/// Why a request was not answered with what it asked for.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A server refused, or could not do it: the problem says why, with a stable code.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    /// No server answered. Whether the request was carried out is unknown; sending it again is safe.
    #[error("no license server answers at {servers}")]
    Unreachable {
        /// The servers that were tried.
        servers: String,
        /// Why the last of them could not be reached.
        source: Arc<dyn StdError + Send + Sync>,
    },
    /// What answered is not a license server, or not one that this client understands.
    #[error("{server} answers as no license server does (status {status}): {reason}")]
    Foreign {
        /// The address that was asked.
        server: String,
        /// The status of its answer.
        status: u16,
        /// What is wrong with it.
        reason: String,
    },
    /// An id or another value in the request is malformed.
    #[error("{0}")]
    Input(Invalid),
    /// The client cannot be set up like this.
    #[error("{what}")]
    Setup {
        /// What cannot be done.
        what: String,
        /// Why.
        source: Option<Arc<dyn StdError + Send + Sync>>,
    },
    /// The client was closed before the request was answered.
    #[error("the client is closed")]
    Closed,
}

impl Error {
    /// The stable code, if a server answered with a problem.
    pub fn code(&self) -> Option<ProblemCode> {
        match self {
            Error::Problem(problem) => Some(problem.code),
            Error::Unreachable { .. }
            | Error::Foreign { .. }
            | Error::Input(_)
            | Error::Setup { .. }
            | Error::Closed => None,
        }
    }

    /// Whether the same request may succeed later without anyone changing anything, for example when a
    /// server comes back.
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Unreachable { .. } => true,
            Error::Problem(problem) => matches!(
                problem.code,
                ProblemCode::StoreUnavailable
                    | ProblemCode::StoreBusy
                    | ProblemCode::OutcomeUnknown
                    | ProblemCode::ClockSkew
                    | ProblemCode::Draining
                    | ProblemCode::QueueFull
                    | ProblemCode::TooManyRequests
                    | ProblemCode::Internal
            ),
            Error::Foreign { status, .. } => matches!(status, 502..=504),
            Error::Input(_) | Error::Setup { .. } | Error::Closed => false,
        }
    }

    pub(crate) fn setup(what: impl Into<String>) -> Error {
        Error::Setup { what: what.into(), source: None }
    }

    pub(crate) fn setup_because(
        what: impl Into<String>,
        source: impl StdError + Send + Sync + 'static,
    ) -> Error {
        Error::Setup { what: what.into(), source: Some(Arc::new(source)) }
    }
}
