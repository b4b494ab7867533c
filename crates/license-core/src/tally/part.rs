//! Which part of a log is counted, and what is of it.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use license_types::{ProductDay, ProductId, SessionId, Token};

use crate::Identity;

/// What of a log is counted; by default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Only this product.
    pub product: Option<ProductId>,
    /// Only what sessions of this user held and were refused.
    pub user: Option<String>,
    /// Only what this session held and was refused.
    pub session: Option<SessionId>,
}

/// Whether something is of the part that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// It is.
    Counted,
    /// It is somebody else's.
    Others,
    /// Nobody knows: who it was is erased, or was never told.
    Unknown,
}

/// Something that was held before the first entry that a log still has.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldBefore {
    /// Identifies the retention.
    pub token: Token,
    /// The product.
    pub product: ProductId,
    /// Its name, as far as that is known.
    pub product_name: Arc<str>,
    /// The session that held it, as far as that is known.
    pub session: Option<Arc<SessionId>>,
    /// Whether it is counted.
    pub whose: Whose,
}

/// The figures, and what they could not be told of.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The figures of each product on each day, in the order of the days.
    pub days: Vec<ProductDay>,
    /// The first instant of the first day of which all is told: the entries of the days before are
    /// deleted, some of them at least. None where the log has every entry.
    pub since: Option<Timestamp>,
    /// Retentions on those days that are not counted, since nobody knows whose they were.
    pub unknown_retentions: u64,
    /// Refusals on those days that are not counted, since nobody knows whose they were.
    pub unknown_refusals: u64,
}

impl Part {
    /// Whether what a session of a user holds is counted; `None` is not known.
    pub fn whose(&self, session: Option<&SessionId>, user: Option<&str>) -> Whose {
        let is_other = |wanted: &SessionId| session != Some(wanted);
        match (&self.session, &self.user, user.unwrap_or_default()) {
            (Some(wanted), _, _) if is_other(wanted) => Whose::Others,
            (_, None, _) => Whose::Counted,
            (_, Some(_), "") => Whose::Unknown,
            (_, Some(wanted), user) if wanted == user => Whose::Counted,
            (_, Some(_), _) => Whose::Others,
        }
    }

    /// Whether it counts only some users or sessions.
    pub(super) fn is_of_some(&self) -> bool {
        self.user.is_some() || self.session.is_some()
    }

    /// The same by a description, which may be erased.
    pub(super) fn whose_identity(&self, session: &SessionId, identity: &Identity) -> Whose {
        // Reading a description costs, so only if a user is wanted.
        let description = identity.kept().filter(|_| self.user.is_some());
        let description = description.map(|description| description.session());
        self.whose(Some(session), description.as_ref().map(|session| session.user_name()))
    }
}

impl Told {
    /// Takes from the figures of everything what concerns all whatever is counted: what was allowed,
    /// and when nothing was left. A product that is not among those was never listed by a license, and
    /// is left out.
    pub fn allow(&mut self, of_all: Vec<ProductDay>) {
        let key = |day: &ProductDay| (day.date.as_str().to_owned(), day.product_id);
        let of_all: BTreeMap<_, _> = of_all.into_iter().map(|day| (key(&day), day)).collect();
        self.days.retain_mut(|day| {
            let Some(all) = of_all.get(&key(day)) else { return false };
            day.product_name.clone_from(&all.product_name);
            day.allowed_count = all.allowed_count;
            day.seconds_with_nothing_left = all.seconds_with_nothing_left;
            true
        });
    }
}
