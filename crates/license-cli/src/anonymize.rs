//! Replaces everything that identifies people by pseudonyms, so that a history can be given away.
//!
//! A pseudonym is a keyed hash (HMAC-SHA-256) of the name: with the same key, the same name always has
//! the same pseudonym, and without the key nobody can confirm a guess. That is why digests and chain
//! values are replaced as well: they are plain hashes, which anybody could compute for a guess. What is
//! left can be counted and followed, but its chain can no longer be verified.

use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use license_pool::License;
use license_types::{
    ClientSession, Digest, Entry, Event, InstalledEvent, Principal, Reason, RestSession,
    ServerName, Session, SessionId, SqlSession, UserId, Uuid,
};
use sha2::Sha256;

use crate::arguments::Anonymized;
use crate::context::Context;
use crate::failure::Failure;

/// The least length of a key; a shorter one could be guessed.
const KEY_BYTES_MIN: usize = 16;

/// The documented reason, which names nobody and is kept.
const CLIENT: &str = "CLIENT";

/// The server of one-shot commands, which names no host and is kept.
const LOCAL: &str = license_pool::LOCAL;

/// Makes pseudonyms with one key.
pub(crate) struct Pseudonyms {
    keyed: Hmac<Sha256>,
}

impl Pseudonyms {
    /// The pseudonyms that were asked for, if any.
    pub(crate) fn asked(
        asked: &Anonymized,
        context: &mut Context<'_, '_>,
    ) -> Result<Option<Pseudonyms>, Failure> {
        Ok(match (asked.anonymize, &asked.anonymize_key) {
            (false, _) => None,
            (true, None) => Some(Pseudonyms::new(&random()?)),
            (true, Some(file)) => Some(Pseudonyms::new(&key(file, context)?)),
        })
    }

    /// The pseudonyms of this key.
    fn new(key: &[u8]) -> Pseudonyms {
        Pseudonyms { keyed: Hmac::new_from_slice(key).expect("a key may have any length") }
    }

    /// The entry with pseudonyms in place of names.
    pub(crate) fn entry(&self, mut entry: Entry) -> Entry {
        entry.server = self.server(&entry.server);
        entry.principal = entry.principal.map(|principal| {
            Principal::new(self.name("credential", principal.as_str())).expect("it is short")
        });
        entry.chain = self.digest(&entry.chain);
        match &mut entry.event {
            Event::Installed(event) => self.installed(event),
            Event::Retained(event) => {
                event.session_id = self.session_id(&event.session_id);
                event.reason = self.reason(&event.reason);
                event.description_digest = self.digest(&event.description_digest);
                event.description.iter_mut().for_each(|session| self.session(session));
            }
            Event::Released(event) => {
                event.session_id = self.session_id(&event.session_id);
                event.note = event.note.as_deref().map(|note| self.name("note", note));
            }
            Event::Refused(event) => {
                event.session_id = event.session_id.as_ref().map(|id| self.session_id(id));
                event.reason = event.reason.as_ref().map(|reason| self.reason(reason));
                event.description_digest =
                    event.description_digest.as_ref().map(|digest| self.digest(digest));
                event.description.iter_mut().for_each(|session| self.session(session));
            }
            Event::StateChanged(event) => event.session_id = self.session_id(&event.session_id),
            Event::Described(event) => {
                event.session_id = self.session_id(&event.session_id);
                event.description_digest = self.digest(&event.description_digest);
                event.description.iter_mut().for_each(|session| self.session(session));
            }
            Event::Moved(event) => {
                for session in &mut event.session_ids {
                    *session = self.session_id(session);
                }
            }
            Event::Adopted(event) => event.from_server = self.server(&event.from_server),
            Event::Uninstalled(_) | Event::ClockCorrected(_) => {}
        }
        entry
    }

    /// A license document names its buyer.
    fn installed(&self, event: &mut InstalledEvent) {
        event.document_digest = self.digest(&event.document_digest);
        // An installed document can always be read. If not, leave it out rather than give names away.
        let license = License::parse(event.document.as_bytes());
        event.document = license.map_or_else(
            |_| String::new(),
            |license| {
                let mut info = license.info().clone();
                info.user_name = self.user(&info.user_name);
                info.user_mail = self.name("mail", &info.user_mail);
                info.company_name = self.name("company", &info.company_name);
                serde_json::to_string(&info).expect("our values are JSON")
            },
        );
    }

    fn session(&self, session: &mut Session) {
        match session {
            Session::Client(ClientSession {
                user_name,
                machine_name,
                system_user_name,
                ip_address,
                id,
                persistent_id,
                ..
            }) => {
                *user_name = self.user(user_name);
                *machine_name = self.name("host", machine_name);
                *system_user_name = self.user(system_user_name);
                *ip_address = self.name("address", ip_address);
                *id = self.uuid(id);
                *persistent_id = self.uuid(persistent_id);
            }
            Session::Sql(SqlSession { user_name, ip_address, user_agent, user_id, .. }) => {
                *user_name = self.user(user_name);
                *ip_address = self.name("address", ip_address);
                *user_agent = self.name("agent", user_agent);
                let [a, b, c, ..] = self.hash("user id", &user_id.to_string());
                let number = u32::from_be_bytes([0, a, b, c]);
                *user_id = UserId::new(number.into()).expect("24 bits are in its bounds");
            }
            Session::Rest(RestSession { user_name, session_id, ip_address, .. }) => {
                *user_name = self.user(user_name);
                *session_id = self.name("session", session_id);
                *ip_address = self.name("address", ip_address);
            }
        }
    }

    /// The pseudonym of a user.
    pub(crate) fn user(&self, name: &str) -> String {
        self.name("user", name)
    }

    /// The pseudonym of a file, which may be named after somebody.
    pub(crate) fn file(&self, name: &str) -> String {
        self.name("file", name)
    }

    /// The pseudonym of a session.
    pub(crate) fn session_id(&self, id: &SessionId) -> SessionId {
        SessionId::new(self.name("session", id.as_str())).expect("it is short and has no blanks")
    }

    fn server(&self, name: &ServerName) -> ServerName {
        match name.as_str() {
            LOCAL => name.clone(),
            other => ServerName::new(self.name("server", other)).expect("it is short"),
        }
    }

    /// Any reason but the documented one may name somebody, since callers write what they like.
    fn reason(&self, reason: &Reason) -> Reason {
        match reason.as_str() {
            CLIENT => reason.clone(),
            other => Reason::new(self.name("reason", other)).expect("it is short"),
        }
    }

    fn digest(&self, digest: &Digest) -> Digest {
        self.hash("digest", digest.as_str()).into()
    }

    /// The pseudonym of a UUID, the same for every spelling.
    fn uuid(&self, uuid: &Uuid) -> Uuid {
        let digits = hex(&self.hash("uuid", &uuid.digits())[..16]).to_ascii_uppercase();
        Uuid::new(digits).expect("32 hexadecimal digits are a UUID")
    }

    /// The pseudonym of a name; an empty one stays empty.
    fn name(&self, kind: &str, name: &str) -> String {
        match name {
            "" => String::new(),
            name => format!("{kind}-{}", hex(&self.hash(kind, name)[..6])),
        }
    }

    fn hash(&self, kind: &str, text: &str) -> [u8; 32] {
        let keyed = self.keyed.clone().chain_update(kind).chain_update([0]).chain_update(text);
        keyed.finalize().into_bytes().into()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A random key, for this run alone.
fn random() -> Result<[u8; 32], Failure> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| {
        Failure::internal(format!("the operating system gives no random numbers: {error}"))
    })?;
    Ok(key)
}

fn key(file: &Path, context: &mut Context<'_, '_>) -> Result<Vec<u8>, Failure> {
    let mut key = context.read(file)?;
    // Editors add a line break at the end.
    while key.last().is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
        key.pop();
    }
    if key.len() < KEY_BYTES_MIN {
        let detail = format!("the key in {} has less than {KEY_BYTES_MIN} bytes", file.display());
        return Err(Failure::usage(detail)
            .hint("`head -c 32 /dev/urandom | base64 > FILE` makes a good one"));
    }
    Ok(key)
}
