//! Which entries of a log a reader wants. A log is searched in stretches, of which it hands over only
//! what is wanted, so that nobody waits for a long search.

use jiff::Timestamp;
use license_core::{Entry, Event, Whom};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
use license_types::DateTime;
use license_types::{EventKind, ProductId, SessionId};

/// How many entries one stretch has, wanted or not.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(super) const STRETCH: u64 = 16_384;

/// Which entries of a log are wanted; by default all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only those from this instant on.
    pub from: Option<Timestamp>,
    /// Only those before this instant.
    pub to: Option<Timestamp>,
    /// Only those that concern this product.
    pub product: Option<ProductId>,
    /// Only those that name this session.
    pub session: Option<SessionId>,
    /// Only those of these kinds; of all where there is none.
    pub kinds: Vec<EventKind>,
}

/// What was found in one stretch of a ledger's log.
#[derive(Debug, Default)]
pub struct Stretch {
    /// The first entry that there is in the stretch, wanted or not; it is a later one than was asked
    /// for where those before are deleted, and 0 where there is none.
    pub begin: u64,
    /// The entries that are wanted.
    pub entries: Vec<Entry>,
    /// The stretch ends with the entry of this sequence.
    pub reached: u64,
    /// The log ends with the entry of this sequence, or a later one if that is not known; never below
    /// `reached`, and equal to it only at the end.
    pub end: u64,
}

impl Selection {
    /// Whether `entry` is wanted.
    pub fn takes(&self, entry: &Entry) -> bool {
        let (kind, product) = subject(&entry.event);
        (self.kinds.is_empty() || self.kinds.contains(&kind))
            && self.product.is_none_or(|wanted| product == Some(wanted))
            && self.from.is_none_or(|from| from <= entry.time)
            && self.to.is_none_or(|to| entry.time < to)
            && self.session.as_ref().is_none_or(|wanted| names(&entry.event, wanted))
    }
}

#[cfg(any(feature = "postgres", feature = "sqlite"))]
impl Selection {
    /// `from` and `to` as the databases spell instants, which are whole milliseconds there.
    pub(super) fn spelled(&self) -> (Option<String>, Option<String>) {
        let spelled = |time| DateTime::from(time).to_string();
        // Round `to` up: times are whole milliseconds, so those before a fraction of one are those
        // before the next whole one.
        let part = jiff::SignedDuration::from_nanos(999_999);
        let ceil = |time: Timestamp| time.saturating_add(part).unwrap_or(time);
        (self.from.map(spelled), self.to.map(|to| spelled(ceil(to))))
    }
}

fn subject(event: &Event) -> (EventKind, Option<ProductId>) {
    match event {
        Event::Installed(_) => (EventKind::Installed, None),
        Event::Uninstalled { .. } => (EventKind::Uninstalled, None),
        Event::Retained(retained) => (EventKind::Retained, Some(retained.product)),
        Event::Released(released) => (EventKind::Released, Some(released.product)),
        Event::Refused(refused) => (EventKind::Refused, Some(refused.product)),
        Event::StateChanged { .. } => (EventKind::StateChanged, None),
        Event::Described { .. } => (EventKind::Described, None),
        Event::Moved { .. } => (EventKind::Moved, None),
        Event::Adopted { .. } => (EventKind::Adopted, None),
        Event::ClockCorrected => (EventKind::ClockCorrected, None),
    }
}

fn names(event: &Event, wanted: &SessionId) -> bool {
    match event {
        Event::Retained(retained) => *retained.session == *wanted,
        Event::Released(released) => *released.session == *wanted,
        Event::Refused(refused) => match &refused.whom {
            Whom::Session { session, .. } => **session == *wanted,
            Whom::Others { .. } => false,
        },
        Event::StateChanged { session, .. } | Event::Described { session, .. } => {
            **session == *wanted
        }
        Event::Moved { sessions } => sessions.iter().any(|session| **session == *wanted),
        Event::Installed(_)
        | Event::Uninstalled { .. }
        | Event::Adopted { .. }
        | Event::ClockCorrected => false,
    }
}
