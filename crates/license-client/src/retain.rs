//! What to retain, and how.

use std::time::Duration;

use license_types::{LeaseSeconds, ProductId, Reason, RetainRequest, Session, SessionId};

/// A license that a session wants.
#[derive(Clone, Debug)]
pub struct Retain {
    pub(crate) product: ProductId,
    pub(crate) session: SessionId,
    pub(crate) request: RetainRequest,
    pub(crate) wait: Duration,
}

impl Retain {
    /// One license of a product for a session; `description` becomes the record's session.
    pub fn new(product: ProductId, session: SessionId, description: Session) -> Retain {
        let request = RetainRequest { reason: None, session: description, lease_seconds: None };
        Retain { product, session, request, wait: Duration::ZERO }
    }

    /// Who or what asks for it; `CLIENT` unless set.
    #[must_use]
    pub fn reason(mut self, reason: Reason) -> Retain {
        self.request.reason = Some(reason);
        self
    }

    /// How long the license outlives its last renewal; the server's default unless set.
    #[must_use]
    pub fn lease(mut self, seconds: LeaseSeconds) -> Retain {
        self.request.lease_seconds = Some(seconds);
        self
    }

    /// How long to wait in the server's line when none is left; not at all unless set.
    #[must_use]
    pub fn wait(mut self, wait: Duration) -> Retain {
        self.wait = wait;
        self
    }
}
