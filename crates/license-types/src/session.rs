//! What the three shapes of a session have in common.

use crate::{RestSession, Session, SessionState, Token};

impl Session {
    /// A session of the REST shape, with no datastore behind it.
    ///
    /// ```
    /// use license_types::Session;
    ///
    /// let session = Session::rest("ann", "job-7", "127.0.0.1");
    /// assert_eq!(session.user_name(), "ann");
    /// assert_eq!(session.state(), None);
    /// ```
    pub fn rest(
        user: impl Into<String>,
        id: impl Into<String>,
        address: impl Into<String>,
    ) -> Self {
        Self::Rest(RestSession {
            user_name: user.into(),
            session_id: id.into(),
            ip_address: address.into(),
            is_datastore: false,
            license_token: None,
        })
    }

    /// What the session is doing; only a client's session says so.
    pub fn state(&self) -> Option<SessionState> {
        match self {
            Self::Client(session) => Some(session.state),
            Self::Sql(_) | Self::Rest(_) => None,
        }
    }

    /// The same session in another state, where its shape has one.
    ///
    /// ```
    /// use license_types::{Session, SessionState};
    ///
    /// let session = Session::rest("ann", "job-7", "127.0.0.1");
    /// assert_eq!(session.clone().with_state(SessionState::Sleeping), session);
    /// ```
    #[must_use]
    pub fn with_state(mut self, state: SessionState) -> Self {
        match &mut self {
            Self::Client(session) => session.state = state,
            Self::Sql(_) | Self::Rest(_) => {}
        }
        self
    }

    /// Name of the user.
    pub fn user_name(&self) -> &str {
        match self {
            Self::Client(session) => &session.user_name,
            Self::Sql(session) => &session.user_name,
            Self::Rest(session) => &session.user_name,
        }
    }

    /// Address that the session came from.
    pub fn ip_address(&self) -> &str {
        match self {
            Self::Client(session) => &session.ip_address,
            Self::Sql(session) => &session.ip_address,
            Self::Rest(session) => &session.ip_address,
        }
    }

    /// Token of the retention, where the record repeats it.
    pub fn license_token(&self) -> Option<Token> {
        match self {
            Self::Client(session) => session.license_token,
            Self::Sql(session) => session.license_token,
            Self::Rest(session) => session.license_token,
        }
    }
}
