//! One request that has passed the pipeline: what an operation works on.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use bytes::Bytes;
use license_pool::Pool;
use license_types::{ProductId, RetainRequest, SessionId, Token};
use license_validate::Document;

use crate::credentials::Caller;
use crate::failure::Failure;
use crate::operation::Operation;
use crate::parameters::Parameters;
use crate::plain;
use crate::state::State;

/// One request that was read, from a caller who may ask it.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) state: State,
    pub(crate) operation: Operation,
    pub(crate) caller: Caller,
    pub(crate) parameters: Parameters,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    /// The pool, acting on the license that the path names.
    pub(crate) fn pool(&self) -> Pool {
        self.of_license(self.state.pool.clone())
    }

    /// The same, in the name of the caller.
    pub(crate) fn own_pool(&self) -> Pool {
        match &self.caller.principal {
            Some(principal) => self.of_license(self.state.pool.acting_for((**principal).clone())),
            None => self.pool(),
        }
    }

    fn of_license(&self, pool: Pool) -> Pool {
        match &self.parameters.license {
            Some(number) => pool.license(number.as_str()),
            None => pool,
        }
    }

    /// Resolves when the caller may no longer ask, with what to answer: for answers that take long.
    pub(crate) fn ended(&self) -> impl Future<Output = Failure> + Send + use<> {
        let (state, caller) = (self.state.clone(), self.caller.clone());
        async move { state.credentials.ended(&caller, &state.options).await }
    }

    /// The body, or every violation of its schema.
    pub(crate) fn body<T: Document>(&self) -> Result<T, Failure> {
        license_validate::parse(&self.body).map_err(|unfit| Failure::unfit(T::SCHEMA, unfit))
    }

    /// The same, or `absent` if there is no body.
    pub(crate) fn body_or<T: Document>(&self, absent: T) -> Result<T, Failure> {
        if self.body.is_empty() { Ok(absent) } else { self.body() }
    }

    /// The body of a request to retain.
    pub(crate) fn retain_request(&self) -> Result<RetainRequest, Failure> {
        plain::retain_request(&self.body).map_or_else(|| self.body(), Ok)
    }

    pub(crate) fn session(&self) -> SessionId {
        self.parameters.session.clone().expect("the path names a session")
    }

    pub(crate) fn product(&self) -> ProductId {
        self.parameters.product.expect("the path names a product")
    }

    pub(crate) fn token(&self) -> Token {
        self.parameters.token.expect("the path names a token")
    }

    pub(crate) fn name(&self) -> &str {
        self.parameters.name.as_deref().expect("the path has a name")
    }

    /// Whether the caller prefers this media type: it has the highest quality in `Accept`, and is the
    /// first with that.
    pub(crate) fn wants(&self, media: &str) -> bool {
        let (mut most, mut wanted) = (0.0, "");
        let accept = self.headers.get_all(ACCEPT).iter();
        for range in accept.flat_map(|accept| accept.to_str().unwrap_or_default().split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let quality =
                parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
            let quality = quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0));
            if quality > most {
                (most, wanted) = (quality, name);
            }
        }
        wanted.eq_ignore_ascii_case(media)
    }
}
