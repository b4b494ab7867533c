//! Faults: an entry that does not follow from the ledger before it. Never a caller's mistake: ours,
//! or a log that someone changed.

use license_types::{ProductId, Token};

use crate::InstallError;

/// An entry breaks the ledger. The ledger is as it was before the entry.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("entry {sequence} does not follow from the ledger before it")]
pub struct Fault {
    /// The entry's place in the log.
    pub sequence: u64,
    /// What is wrong with it.
    #[source]
    pub breach: Breach,
}

impl Fault {
    pub(crate) fn new(sequence: u64, breach: Breach) -> Fault {
        Fault { sequence, breach }
    }
}

/// What is wrong with an entry that faults a ledger.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Breach {
    /// An entry is missing, repeated, or out of order.
    #[error("its sequence should be {expected}")]
    Sequence {
        /// The sequence that comes next.
        expected: u64,
    },
    /// The entry or one before it was changed.
    #[error("its chain value is not the hash of the chain before and itself")]
    Chain,
    /// Time steps back, which only a corrected clock may do.
    #[error("its time lies before the time of the entry before")]
    Time,
    /// Tokens are consecutive.
    #[error("token {token} should be {expected}")]
    Token {
        /// The token of the entry.
        token: Token,
        /// The token that comes next.
        expected: u64,
    },
    /// A session holds a product at most once.
    #[error("its session holds product {} already", .product.human())]
    AlreadyHeld {
        /// The product.
        product: ProductId,
    },
    /// The license does not grant the product.
    #[error("product {} is not in the license", .product.human())]
    UnknownProduct {
        /// The product.
        product: ProductId,
    },
    /// More were handed out than are allowed.
    #[error("product {} is oversold: {used} in use, {allowed} allowed", .product.human())]
    Oversold {
        /// The product.
        product: ProductId,
        /// In use before the entry.
        used: u64,
        /// Allowed at the time of the entry.
        allowed: u64,
    },
    /// The session is served by another server, and no entry moved it.
    #[error("its session is served by another server")]
    Server,
    /// A property of a new record differs from what the ledger computes.
    #[error("its {property} is not what the ledger computes")]
    Record {
        /// The property, as in the record.
        property: &'static str,
    },
    /// A token was released that is not held, or not by that session for that product.
    #[error("token {token} is not held by that session for that product")]
    NotHeld {
        /// The token.
        token: Token,
    },
    /// The session holds nothing, so nothing can be said of it.
    #[error("session `{session}` holds nothing")]
    NothingHeld {
        /// The session.
        session: String,
    },
    /// The license neither bears nor replaces a number of this ledger, or is not the installed one.
    #[error("license `{number}` is not the installed one, and does not replace it")]
    Number {
        /// Number of the license.
        number: String,
    },
    /// The license was uninstalled while it was held.
    #[error("it uninstalls a license of which {held} are held")]
    InUse {
        /// Retentions that were live.
        held: u64,
    },
    /// The document of a license cannot be read.
    #[error("its license cannot be read")]
    Document(#[source] InstallError),
    /// Something kept beside the chain differs from what the chain says of it.
    #[error("its {what} does not match its digest")]
    Digest {
        /// What differs: the document or the description.
        what: &'static str,
    },
    /// A refusal says neither everything of one session nor how many sessions there were.
    #[error("it says neither which session was refused nor how many were")]
    Whom,
    /// A count differs from the retentions that it should count.
    #[error("{what} differ from the retentions that are held")]
    Recount {
        /// Which counts.
        what: &'static str,
    },
}
