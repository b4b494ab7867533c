//! Credentials: who may ask a server, kept in the store that it serves.

use std::fmt;

use jiff::Timestamp;
use license_core::Digest;
use license_types::{Count, Credential, CredentialRole, DateTime, Principal};

/// What a secret begins with, so that it can be told from others, also by programs that look for
/// secrets where none should be.
const PREFIX: &str = "lk_";
/// Random bytes of an id and of a secret.
const ID_BYTES: usize = 6;
const SECRET_BYTES: usize = 32;

/// A credential as a store keeps it: all but the secret, of which there is only a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCredential {
    /// What may be told of it.
    pub credential: Credential,
    /// SHA-256 of the secret.
    pub digest: license_types::Digest,
}

/// A secret as its holder shows it: `lk_ID_SECRET`, of which the first two parts are its id.
///
/// What is secret of it never shows when it is printed for debugging.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl KeptCredential {
    /// Makes a credential, and the secret that is shown once.
    ///
    /// # Errors
    /// When the operating system gives no random numbers.
    pub fn make(
        role: CredentialRole,
        max_seats: Option<Count>,
        now: Timestamp,
        expires: Option<Timestamp>,
    ) -> Result<(KeptCredential, Secret), getrandom::Error> {
        let mut random = [0; ID_BYTES + SECRET_BYTES];
        getrandom::fill(&mut random)?;
        let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let (id, secret) = digits.split_at(2 * ID_BYTES);
        let id = format!("{PREFIX}{id}");
        let secret = Secret(format!("{id}_{secret}"));
        let credential = Credential {
            id: Principal::new(id).expect("digits are a principal"),
            role,
            max_seats,
            created_at: DateTime::from(now),
            expires_at: expires.map(DateTime::from),
            revoked_at: None,
        };
        Ok((KeptCredential { credential, digest: secret.digest() }, secret))
    }

    /// Whether `secret` is this credential's.
    pub fn is(&self, secret: &Secret) -> bool {
        // What is compared is a hash, whose bytes nobody can choose: how long that takes tells nothing.
        self.digest.as_str().parse() == Ok(secret.hash())
    }

    /// Whether it is in force.
    pub fn holds(&self, now: Timestamp) -> bool {
        let expired = self.credential.expires_at.as_ref().is_some_and(|at| at.timestamp() <= now);
        self.credential.revoked_at.is_none() && !expired
    }

    /// As the columns of a table.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(crate) fn to_columns(&self) -> Columns {
        let Credential { id, role, max_seats, created_at, expires_at, revoked_at } =
            &self.credential;
        Columns {
            id: id.to_string(),
            digest: self.digest.to_string(),
            role: role.to_string(),
            max_seats: max_seats.map(|count| i64::try_from(count.get()).unwrap_or(i64::MAX)),
            created: created_at.to_string(),
            expires: expires_at.as_ref().map(ToString::to_string),
            revoked: revoked_at.as_ref().map(ToString::to_string),
        }
    }

    /// What the columns of a table say.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(crate) fn of_columns(columns: Columns) -> Result<KeptCredential, crate::LogError> {
        let read = || -> Result<KeptCredential, license_types::Invalid> {
            let instant = |text: String| DateTime::new(text);
            let count = |count: i64| Count::new(u64::try_from(count).unwrap_or(u64::MAX));
            let credential = Credential {
                id: Principal::new(columns.id)?,
                role: columns.role.parse()?,
                max_seats: columns.max_seats.map(count).transpose()?,
                created_at: instant(columns.created)?,
                expires_at: columns.expires.map(instant).transpose()?,
                revoked_at: columns.revoked.map(instant).transpose()?,
            };
            Ok(KeptCredential { credential, digest: license_types::Digest::new(columns.digest)? })
        };
        read().map_err(|error| crate::LogError::Unavailable {
            action: "tell its credentials",
            source: error.into(),
        })
    }
}

/// A credential as the columns of a table.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) struct Columns {
    pub(crate) id: String,
    pub(crate) digest: String,
    pub(crate) role: String,
    pub(crate) max_seats: Option<i64>,
    pub(crate) created: String,
    pub(crate) expires: Option<String>,
    pub(crate) revoked: Option<String>,
}

impl Secret {
    /// What somebody showed, if it has the form of a secret.
    pub fn read(text: &str) -> Option<Secret> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let digits = |text: &str, bytes: usize| {
            text.len() == 2 * bytes
                && text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
        };
        let sound = digits(id, ID_BYTES) && digits(secret, SECRET_BYTES);
        sound.then(|| Secret(text.to_owned()))
    }

    /// The id of the credential, which is no secret.
    pub fn id(&self) -> &str {
        &self.0[..PREFIX.len() + 2 * ID_BYTES]
    }

    /// All of it, to be shown to its holder.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    fn hash(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    fn digest(&self) -> license_types::Digest {
        license_types::Digest::new(self.hash().to_string()).expect("a digest is written as one")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}_***)", self.id())
    }
}
