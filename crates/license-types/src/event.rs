//! What events have in common, whatever their kind.

use std::slice;

use crate::{Event, EventKind, ProductId, Session, SessionId};

impl Event {
    /// What it tells of.
    ///
    /// ```
    /// use license_types::{ClockCorrectedEvent, Event, EventKind};
    ///
    /// let event = Event::ClockCorrected(ClockCorrectedEvent {});
    /// assert_eq!(event.kind(), EventKind::ClockCorrected);
    /// assert_eq!(serde_json::to_value(event)?["kind"], EventKind::ClockCorrected.as_str());
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn kind(&self) -> EventKind {
        match self {
            Event::Installed(_) => EventKind::Installed,
            Event::Uninstalled(_) => EventKind::Uninstalled,
            Event::Retained(_) => EventKind::Retained,
            Event::Released(_) => EventKind::Released,
            Event::Refused(_) => EventKind::Refused,
            Event::StateChanged(_) => EventKind::StateChanged,
            Event::Described(_) => EventKind::Described,
            Event::Moved(_) => EventKind::Moved,
            Event::Adopted(_) => EventKind::Adopted,
            Event::ClockCorrected(_) => EventKind::ClockCorrected,
        }
    }

    /// The product that it concerns, where it concerns one.
    pub fn product_id(&self) -> Option<ProductId> {
        match self {
            Event::Retained(event) => Some(event.product_id),
            Event::Released(event) => Some(event.product_id),
            Event::Refused(event) => Some(event.product_id),
            Event::Installed(_)
            | Event::Uninstalled(_)
            | Event::StateChanged(_)
            | Event::Described(_)
            | Event::Moved(_)
            | Event::Adopted(_)
            | Event::ClockCorrected(_) => None,
        }
    }

    /// The sessions that it names.
    pub fn session_ids(&self) -> &[SessionId] {
        match self {
            Event::Retained(event) => slice::from_ref(&event.session_id),
            Event::Released(event) => slice::from_ref(&event.session_id),
            Event::Refused(event) => event.session_id.as_slice(),
            Event::StateChanged(event) => slice::from_ref(&event.session_id),
            Event::Described(event) => slice::from_ref(&event.session_id),
            Event::Moved(event) => &event.session_ids,
            Event::Installed(_)
            | Event::Uninstalled(_)
            | Event::Adopted(_)
            | Event::ClockCorrected(_) => &[],
        }
    }

    /// What the session's caller said of it, where the event carries it and it was not erased.
    pub fn description(&self) -> Option<&Session> {
        match self {
            Event::Retained(event) => event.description.as_ref(),
            Event::Refused(event) => event.description.as_ref(),
            Event::Described(event) => event.description.as_ref(),
            Event::Installed(_)
            | Event::Uninstalled(_)
            | Event::Released(_)
            | Event::StateChanged(_)
            | Event::Moved(_)
            | Event::Adopted(_)
            | Event::ClockCorrected(_) => None,
        }
    }
}
