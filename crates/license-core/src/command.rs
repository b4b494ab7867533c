//! What callers ask of a ledger, and in whose name.

use std::sync::{Arc, LazyLock};

use license_types::{
    Batch, LeaseSeconds, Principal, ProductId, Reason, ReleaseCause, ServerName, Session,
    SessionId, SessionState, Token,
};

use crate::{Description, License};

/// One request, ready for [`decide`](crate::decide): parsed, validated and hashed by the caller's
/// thread, so that deciding only compares and counts.
#[derive(Clone, Debug)]
pub enum Command {
    /// Installs a license, or replaces one.
    Install(Install),
    /// Uninstalls the license, which nobody may hold any of.
    Uninstall,
    /// Retains one license of a product for a session.
    Retain(Retain),
    /// Renews what a session holds, and may tell its new state.
    Renew(Renew),
    /// Releases what a session holds, or one token.
    Release(Release),
}

/// Installs a license document.
#[derive(Clone, Debug)]
pub struct Install {
    /// The document.
    pub license: Arc<License>,
    /// The number of the license that it replaces, where that differs from its own.
    pub replaces: Option<String>,
    /// Whether its signature was verified.
    pub signed: bool,
}

impl Install {
    /// Installs `license`, unsigned, in place of the same number only.
    pub fn new(license: License) -> Install {
        Install { license: Arc::new(license), replaces: None, signed: false }
    }
}

/// Retains one license of `product` for `session`.
#[derive(Clone, Debug)]
pub struct Retain {
    /// The product.
    pub product: ProductId,
    /// The caller's own name of the session.
    pub session: Arc<SessionId>,
    /// Who or what asks.
    pub reason: Arc<Reason>,
    /// What the record is to say of the session.
    pub description: Description,
    /// The lease, fixed for the life of the retention; `None` where it needs no renewal.
    pub lease_seconds: Option<LeaseSeconds>,
    /// How many seats of this license the principal may hold, over all products; `None` for any number.
    pub max_seats: Option<u64>,
}

impl Retain {
    /// Retains without a lease and for the reason `CLIENT`; set the fields to differ.
    ///
    /// ```
    /// use license_core::Retain;
    /// use license_types::{LeaseSeconds, Session};
    ///
    /// let ann = Session::rest("ann", "job-7", "127.0.0.1");
    /// let lease_seconds = Some(LeaseSeconds::new(90)?);
    /// let retain = Retain { lease_seconds, ..Retain::new("0009".parse()?, "job-7".parse()?, ann) };
    /// assert_eq!(retain.reason.as_str(), "CLIENT");
    /// # Ok::<(), license_types::Invalid>(())
    /// ```
    pub fn new(product: ProductId, session: SessionId, description: Session) -> Retain {
        Retain {
            product,
            session: Arc::new(session),
            reason: client(),
            description: Description::new(description),
            lease_seconds: None,
            max_seats: None,
        }
    }
}

/// The reason of nearly every retention, shared by all of them.
fn client() -> Arc<Reason> {
    static CLIENT: LazyLock<Arc<Reason>> =
        LazyLock::new(|| Arc::new(Reason::new("CLIENT").expect("`CLIENT` is a reason")));
    CLIENT.clone()
}

/// Renews what `session` holds. A renewal is an entry only where something changes: the server that
/// serves the session, or its state.
#[derive(Clone, Debug)]
pub struct Renew {
    /// The session.
    pub session: Arc<SessionId>,
    /// Its new state, where it tells one.
    pub state: Option<SessionState>,
}

/// Ends one or more retentions.
#[derive(Clone, Debug)]
pub struct Release {
    /// Which ones.
    pub target: Target,
    /// Why. What is revoked may belong to anybody: that is for administrators.
    pub cause: ReleaseCause,
    /// What the administrator said who revoked them.
    pub note: Option<Arc<str>>,
}

impl Release {
    /// The session itself releases `target`.
    pub fn new(target: Target) -> Release {
        Release { target, cause: ReleaseCause::Released, note: None }
    }
}

/// Which retentions a [`Release`] ends.
#[derive(Clone, Debug)]
pub enum Target {
    /// What a session holds.
    Session {
        /// The session.
        session: Arc<SessionId>,
        /// Only of this product.
        product: Option<ProductId>,
        /// Only if this token is the one held: a release that comes late must not end a newer
        /// retention.
        token: Option<Token>,
    },
    /// One retention, whoever holds it. This is the administrator's way and asks for no principal.
    Token(Token),
}

/// Who appends: the server, its turn, and the principal that asked. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The server that acts.
    pub server: Arc<ServerName>,
    /// Its epoch; 0 for `local`.
    pub epoch: u64,
    /// The turn.
    pub batch: Arc<Batch>,
    /// Who asked; absent without authentication.
    pub principal: Option<Arc<Principal>>,
}

impl Stamp {
    /// The stamp of the reserved server `local`, in a batch of zeros, without a principal.
    pub fn local() -> Stamp {
        Stamp {
            server: Arc::new(ServerName::new("local").expect("`local` is a server name")),
            epoch: 0,
            batch: Arc::new(Batch::new("0".repeat(32)).expect("32 hexadecimal digits")),
            principal: None,
        }
    }
}
