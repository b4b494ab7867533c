//! Refusals: the rules said no. A refusal is a value, with the facts to explain it.

use std::sync::Arc;

use jiff::{Timestamp, civil::Date};
use license_types::{ProblemCode, ProductId, RefusalCode, SessionId, Token};

use crate::{Event, Identity, Ledger, Refused, Retain, Target, Whom};

/// Why a command was refused, in descending order of precedence.
///
/// Between [`NotRetained`](Self::NotRetained) and [`UnknownProduct`](Self::UnknownProduct) comes what
/// is no refusal: a session that holds the product already is granted it again, whatever has expired
/// since.
///
/// ```
/// use license_core::Refusal;
/// use license_types::RefusalCode;
///
/// let refusal = Refusal::NoLicenseLeft {
///     product: "0009".parse()?,
///     name: "4D Client".into(),
///     allowed_count: 15,
///     used_count: 15,
/// };
/// assert_eq!(refusal.to_string(), "all 15 licenses of 4D Client (0009) are in use");
/// assert_eq!(refusal.recorded_code(), Some(RefusalCode::NoLicenseLeft));
/// # Ok::<(), license_types::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No license is installed, or not the one that was named.
    #[error("{}", unknown_license(.number.as_deref()))]
    UnknownLicense {
        /// The number that was named.
        number: Option<String>,
    },
    /// The session belongs to another principal.
    #[error("session `{session}` belongs to another credential")]
    NotPermitted {
        /// The session.
        session: Arc<SessionId>,
    },
    /// There is nothing to renew or release.
    #[error("{}", not_retained(.session.as_deref(), *.product, *.token))]
    NotRetained {
        /// The session that was named.
        session: Option<Arc<SessionId>>,
        /// The product that was named.
        product: Option<ProductId>,
        /// The token that was named.
        token: Option<Token>,
    },
    /// The license does not list the product.
    #[error("the license has no product {}", .product.human())]
    UnknownProduct {
        /// The product.
        product: ProductId,
    },
    /// The principal holds as many licenses as it may.
    #[error(
        "the credential holds {held} {} of this license and may hold {max_seats} of each",
        if *held == 1 { "seat" } else { "seats" }
    )]
    OverMaximum {
        /// What it holds.
        held: u64,
        /// What it may hold.
        max_seats: u64,
    },
    /// The license, or every right of the product, has expired.
    #[error("the license for {} expired on {expired_on}", label(.name, *.product))]
    LicenseExpired {
        /// The product.
        product: ProductId,
        /// Its name.
        name: Arc<str>,
        /// The last day on which it was valid.
        expired_on: Date,
    },
    /// Every license that is allowed is in use.
    #[error("{}", none_left(.name, *.product, *.allowed_count))]
    NoLicenseLeft {
        /// The product.
        product: ProductId,
        /// Its name.
        name: Arc<str>,
        /// Licenses allowed.
        allowed_count: u64,
        /// Licenses in use, over all servers.
        used_count: u64,
    },
    /// A license cannot be uninstalled while any of it is held.
    #[error("the license cannot be uninstalled: {}", in_use(*.held))]
    InUse {
        /// Licenses in use, of all products and over all servers.
        held: u64,
    },
}

impl Refusal {
    /// The stable code that programs go by.
    pub fn code(&self) -> ProblemCode {
        match self {
            Refusal::UnknownLicense { .. } => ProblemCode::UnknownLicense,
            Refusal::NotPermitted { .. } | Refusal::OverMaximum { .. } => ProblemCode::NotPermitted,
            Refusal::NotRetained { .. } => ProblemCode::NotRetained,
            Refusal::UnknownProduct { .. } => ProblemCode::UnknownProduct,
            Refusal::LicenseExpired { .. } => ProblemCode::LicenseExpired,
            Refusal::NoLicenseLeft { .. } => ProblemCode::NoLicenseLeft,
            Refusal::InUse { .. } => ProblemCode::InUse,
        }
    }

    /// The code under which the log keeps the refusal of a retention; `None` for what concerns no
    /// license of this ledger.
    pub fn recorded_code(&self) -> Option<RefusalCode> {
        match self {
            Refusal::UnknownLicense { .. }
            | Refusal::NotRetained { .. }
            | Refusal::InUse { .. } => None,
            Refusal::NotPermitted { .. } | Refusal::OverMaximum { .. } => {
                Some(RefusalCode::NotPermitted)
            }
            Refusal::UnknownProduct { .. } => Some(RefusalCode::UnknownProduct),
            Refusal::LicenseExpired { .. } => Some(RefusalCode::LicenseExpired),
            Refusal::NoLicenseLeft { .. } => Some(RefusalCode::NoLicenseLeft),
        }
    }

    /// No license is installed in this ledger, or not any more.
    pub fn not_installed(ledger: &Ledger) -> Refusal {
        Refusal::UnknownLicense { number: ledger.license_number().map(|it| it.to_string()) }
    }

    /// There is nothing to release at this target.
    pub fn not_retained(target: &Target) -> Refusal {
        match target {
            Target::Token(token) => {
                Refusal::NotRetained { session: None, product: None, token: Some(*token) }
            }
            Target::Session { session, product, token } => Refusal::NotRetained {
                session: Some(session.clone()),
                product: *product,
                token: *token,
            },
        }
    }

    /// What the log keeps of this refusal of `retain`, decided on `ledger` as it is, at `now`.
    pub fn event(&self, ledger: &Ledger, retain: &Retain, now: Timestamp) -> Option<Event> {
        let code = self.recorded_code()?;
        let (allowed_count, used_count) = ledger.counts(retain.product, now);
        Some(Event::Refused(Box::new(Refused {
            product: retain.product,
            code,
            allowed_count,
            used_count,
            times: 1,
            whom: Whom::Session {
                session: retain.session.clone(),
                reason: retain.reason.clone(),
                identity: Identity::Kept(retain.description.clone()),
                waited_seconds: None,
            },
        })))
    }
}

fn unknown_license(number: Option<&str>) -> String {
    match number {
        Some(number) => format!("license `{number}` is not installed"),
        None => "no license is installed".to_owned(),
    }
}

fn in_use(held: u64) -> String {
    match held {
        1 => "one of it is in use".to_owned(),
        _ => format!("{held} of it are in use"),
    }
}

fn not_retained(
    session: Option<&SessionId>,
    product: Option<ProductId>,
    token: Option<Token>,
) -> String {
    let mut text = match session {
        Some(session) => format!("session `{session}` holds no license"),
        None => "no session holds a license".to_owned(),
    };
    if let Some(product) = product {
        text += &format!(" of product {}", product.human());
    }
    if let Some(token) = token {
        text += &format!(" with token {token}");
    }
    text
}

fn none_left(name: &str, product: ProductId, allowed_count: u64) -> String {
    let product = label(name, product);
    match allowed_count {
        0 => format!("the license allows none of {product}"),
        1 => format!("the only license of {product} is in use"),
        _ => format!("all {allowed_count} licenses of {product} are in use"),
    }
}

/// A product as messages name it: `4D Client (0009)`.
pub(crate) fn label(name: &str, product: ProductId) -> String {
    match product.spelling() {
        Some(spelling) => format!("{name} ({spelling})"),
        None => format!("{name} ({product})"),
    }
}
