//! What callers say of their sessions, with the digest that stands for it in the chain.

use std::sync::Arc;

use license_types::{Session, SessionState, Token};
use serde::Deserialize;

use crate::Digest;

/// A session as its caller described it: its JSON text as it is stored, and the digest of that text.
/// Made by the caller's thread, so that a turn hashes no descriptions. Only the text is kept, since
/// a million of these may lie in memory. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    text: Arc<str>,
    digest: Digest,
    state: Option<SessionState>,
    has_token: bool,
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
        let (state, has_token) = (session.state(), session.license_token().is_some());
        Description { text: text.into(), digest, state, has_token }
    }

    /// A description that a log kept as text; `None` if the text describes no session, or does not
    /// match `digest`.
    ///
    /// ```
    /// use license_core::{Description, Digest};
    /// use license_types::Session;
    ///
    /// let description = Description::new(Session::rest("ann", "job-7", "127.0.0.1"));
    /// let kept = Description::kept(description.text(), description.digest());
    /// assert_eq!(kept.as_ref(), Some(&description));
    /// assert_eq!(Description::kept(description.text(), Digest::of(b"{}")), None);
    /// assert_eq!(Description::kept("{}", Digest::of(b"{}")), None);
    /// ```
    pub fn kept(text: &str, digest: Digest) -> Option<Description> {
        match is_plain(text) && Digest::of(text.as_bytes()) == digest {
            true => Some(Description { text: text.into(), digest, state: None, has_token: false }),
            false => Description::matching(serde_json::from_str(text).ok()?, digest),
        }
    }

    /// The same of a session that was read already.
    pub(crate) fn matching(session: Session, digest: Digest) -> Option<Description> {
        let description = Description::new(session);
        (description.digest == digest).then_some(description)
    }

    /// One that was in a snapshot.
    pub(crate) fn restored(
        text: &str,
        digest: Digest,
        state: Option<SessionState>,
        has_token: bool,
    ) -> Description {
        Description { text: text.into(), digest, state, has_token }
    }

    /// The session, read from the text.
    pub fn session(&self) -> Session {
        // The text was written from a session, unless somebody forged a snapshot.
        serde_json::from_str(&self.text).unwrap_or_else(|_| Session::rest("", "", ""))
    }

    /// The state of the session, where its shape tells one.
    pub fn state(&self) -> Option<SessionState> {
        self.state
    }

    pub(crate) fn has_token(&self) -> bool {
        self.has_token
    }

    /// The session as a record shows it: with the state that it has now, where its shape has one,
    /// and with the true token, where the caller keeps a token in its description.
    pub(crate) fn current(&self, token: Token, state: Option<SessionState>) -> Session {
        let mut session = self.session();
        let listed_token = match &mut session {
            Session::Client(client) => {
                client.state = state.unwrap_or(client.state);
                &mut client.license_token
            }
            Session::Sql(sql) => &mut sql.license_token,
            Session::Rest(rest) => &mut rest.license_token,
        };
        if listed_token.is_some() {
            *listed_token = Some(token);
        }
        session
    }

    /// Whether the [current](Self::current) session is the one described, to the letter.
    pub(crate) fn is_current(&self, state: Option<SessionState>) -> bool {
        !self.has_token && (self.state.is_none() || state.is_none() || self.state == state)
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

/// Whether a text tells of a session as most do, to the letter: of the REST shape, with nothing
/// unusual about it. Then no tree of it is needed to know that it has neither a state nor a token.
fn is_plain(text: &str) -> bool {
    serde_json::from_str(text).is_ok_and(|plain: Plain<'_>| plain.spelled() == text)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Plain<'t> {
    // What is written with escapes cannot be borrowed.
    user_name: &'t str,
    #[serde(rename = "sessionID")]
    session_id: &'t str,
    #[serde(rename = "IPAddress")]
    ip_address: &'t str,
    is_datastore: bool,
}

impl Plain<'_> {
    fn spelled(&self) -> String {
        let Plain { user_name, session_id, ip_address, is_datastore } = self;
        format!(
            r#"{{"userName":"{user_name}","sessionID":"{session_id}","IPAddress":"{ip_address}","isDatastore":{is_datastore}}}"#
        )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_judged_alike_with_and_without_a_tree() {
        let plain = Description::new(Session::rest("ann", "job-7", "127.0.0.1"));
        let plain = plain.text();
        let odd = [
            plain.replace("ann", r#"\u00e9\n\"ann"#),
            plain.replace("ann", "\u{e9}"),
            plain.replace(':', ": "),
            plain.replace("ann", r"\ud800"),
            plain.replace(r#""ann""#, "null"),
            plain.replace("false", "0"),
            plain.replace('{', r#"{"userName":"eve","#),
            plain.replace('}', r#","more":1}"#),
            plain.replace('}', r#","licenseToken":7}"#),
            plain.replace("userName", "user"),
            format!("{plain}{plain}"),
            format!(" {plain}"),
            r#"["ann","job-7","127.0.0.1",false]"#.to_owned(),
            "{}".to_owned(),
            String::new(),
        ];
        assert!(is_plain(plain));
        for text in odd.iter().map(String::as_str).chain([plain]) {
            let session = serde_json::from_str(text);
            for digest in [Digest::of(text.as_bytes()), Digest::of(b"")] {
                let read = session.as_ref().ok().cloned();
                let read = read.and_then(|session| Description::matching(session, digest));
                assert_eq!(Description::kept(text, digest), read, "{text}");
            }
        }
    }
}
