//! What callers say of their sessions, with the digest that stands for it in the chain.

use std::sync::Arc;

use license_types::{Session, SessionState};

use crate::Digest;

/// A session as its caller described it: its JSON text as it is stored, and the digest of that text.
/// Made by the caller's thread, so that a turn hashes no descriptions. Only the text is kept, since
/// a million of these may lie in memory. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    text: Arc<str>,
    digest: Digest,
    state: Option<SessionState>,
}

impl Description {
    /// Describes a session.
    ///
    /// ```
    /// use license_core::Description;
    /// use license_types::Session;
    ///
    /// let description = Description::new(Session::rest("ann", "job-7", "127.0.0.1"));
    /// assert!(description.text().starts_with(r#"{"userName":"ann""#));
    /// ```
    pub fn new(session: Session) -> Description {
        let text = serde_json::to_string(&session).expect("a session has only text keys");
        let digest = Digest::of(text.as_bytes());
        Description { text: text.into(), digest, state: session.state() }
    }

    /// The session, read from the text.
    pub fn session(&self) -> Session {
        serde_json::from_str(&self.text).expect("the text was written from a session")
    }

    /// The state of the session, where its shape tells one.
    pub fn state(&self) -> Option<SessionState> {
        self.state
    }

    /// The session's JSON as it was hashed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of [`text`](Self::text).
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// What an entry knows of a session's description. Personal data can be erased from the log; its
/// digest stays, so the chain still verifies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The description itself.
    Kept(Description),
    /// The digest of a description that was erased.
    Erased(Digest),
}

impl Identity {
    /// The digest of the description, kept or erased.
    pub fn digest(&self) -> Digest {
        match self {
            Identity::Kept(description) => description.digest(),
            Identity::Erased(digest) => *digest,
        }
    }

    /// The description, unless it was erased.
    pub fn kept(&self) -> Option<&Description> {
        match self {
            Identity::Kept(description) => Some(description),
            Identity::Erased(_) => None,
        }
    }
}
