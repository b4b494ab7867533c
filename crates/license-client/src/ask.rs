//! Builds the requests of the API: paths, queries and bodies.

use std::time::Duration;

use license_types::{ProductId, RenewListReceipt, RenewListRequest, SessionId, SessionRenewal};
use serde::Serialize;
use ureq::http::Method;

use crate::Error;
use crate::moment::Moment;
use crate::servers::Servers;
use crate::transport::{Question, encoded};

/// Stands in a path for the only license that is installed.
pub(crate) const ACTIVE: &str = "active";

/// A question without a body.
pub(crate) fn question(method: Method, path: impl Into<String>) -> Question {
    Question { method, path: path.into(), body: None, stream: None, timeout: None }
}

impl Question {
    /// The same question with a JSON body.
    pub(crate) fn with(mut self, body: &impl Serialize) -> Question {
        let body = serde_json::to_vec(body).expect("our types have text as keys");
        self.body = Some(body);
        self
    }

    /// The same question with one more query parameter, if it has a value.
    pub(crate) fn query(mut self, name: &str, value: Option<&str>) -> Question {
        if let Some(value) = value {
            let mark = if self.path.contains('?') { '&' } else { '?' };
            self.path += &format!("{mark}{name}={}", encoded(value));
        }
        self
    }
}

/// The path of a license.
pub(crate) fn license_path(license: &str) -> String {
    format!("/v1/licenses/{}", encoded(license))
}

/// The path of a session, or of what it holds of one product.
pub(crate) fn session_path(
    license: &str,
    session: &SessionId,
    product: Option<ProductId>,
) -> String {
    let session = format!("{}/sessions/{}", license_path(license), encoded(session.as_str()));
    match product {
        Some(product) => format!("{session}/products/{product}"),
        None => session,
    }
}

/// Renews many sessions by one request; also gives when that was sent, from which leases count.
pub(crate) fn renew_list(
    servers: &Servers,
    license: &str,
    sessions: &[SessionId],
    timeout: Option<Duration>,
    patience: Duration,
) -> Result<(RenewListReceipt, Moment), Error> {
    let renewal = |session: &SessionId| SessionRenewal { session_id: session.clone(), state: None };
    let request = RenewListRequest { sessions: sessions.iter().map(renewal).collect() };
    let path = format!("{}/renew", license_path(license));
    let question = question(Method::POST, path).with(&request);
    servers.ask(&Question { timeout, ..question }, patience)
}
