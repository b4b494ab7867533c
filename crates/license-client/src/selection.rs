//! Which entries of a log are wanted.

use license_types::{DateTime, EventKind, ProductId, SessionId};

use crate::transport::Question;

/// Which entries of a log are wanted: those that meet every condition that is set. By default there is
/// none, so that every entry is wanted.
///
/// ```
/// use license_client::{EventKind, Selection};
///
/// let refusals = Selection { kinds: vec![EventKind::Refused], ..Selection::default() };
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only those after this sequence.
    pub after: u64,
    /// Only those from this instant on.
    pub from: Option<DateTime>,
    /// Only those before this instant.
    pub to: Option<DateTime>,
    /// Only those that concern this product.
    pub product: Option<ProductId>,
    /// Only those that name this session.
    pub session: Option<SessionId>,
    /// Only those of these kinds; of every kind if empty.
    pub kinds: Vec<EventKind>,
}

impl Selection {
    /// The same question, for these entries alone.
    pub(crate) fn narrow(&self, question: Question) -> Question {
        let Selection { after, from, to, product, session, kinds } = self;
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        let after = (*after > 0).then(|| after.to_string());
        question
            .query("after", after.as_deref())
            .query("from", from.as_ref().map(DateTime::as_str))
            .query("to", to.as_ref().map(DateTime::as_str))
            .query("product", product.map(|product| product.to_string()).as_deref())
            .query("session", session.as_ref().map(SessionId::as_str))
            .query("kind", (!kinds.is_empty()).then(|| kinds.join(",")).as_deref())
    }
}
