//! An entry as people read it.

use jiff::tz::TimeZone;
use license_types::{Count, Entry, Event, ReleaseCause, Session};

use crate::output::text::escaped;
use crate::output::{instant_in, product};

/// Writes entries as lines. The column of servers grows with the longest name so far, since later
/// entries are not known yet.
pub(super) struct Lines {
    zone: TimeZone,
    /// The longest name of a server so far.
    server: usize,
}

impl Lines {
    pub(super) fn new(zone: TimeZone) -> Lines {
        Lines { zone, server: 0 }
    }

    pub(super) fn line(&mut self, entry: &Entry) -> String {
        let server = escaped(entry.server.as_str()).into_owned();
        self.server = self.server.max(server.chars().count());
        let time = instant_in(entry.time.timestamp(), &self.zone);
        let (sequence, width) = (entry.sequence.get(), self.server);
        let mut said = said(&entry.event);
        if let Some(principal) = &entry.principal {
            said += &format!(", asked by {principal}");
        }
        format!("{sequence:>6}  {time}  {server:<width$}  {}\n", escaped(&said))
    }
}

fn said(event: &Event) -> String {
    match event {
        Event::Installed(event) => {
            let signed = if event.signed { "signed" } else { "unsigned" };
            let replaced = event.replaced_number.as_ref();
            let replaced = replaced.map(|number| format!(" in place of {number}"));
            let replaced = replaced.unwrap_or_default();
            format!("installed license {} ({signed}){replaced}", event.license_number)
        }
        Event::Uninstalled(event) => format!("uninstalled license {}", event.license_number),
        Event::Retained(event) => format!(
            "retained token {}: {} for {}{} ({} used, {} left, {})",
            event.token,
            product(&event.product_name, event.product_id),
            event.session_id,
            user(event.description.as_ref()),
            event.global_product_used_count,
            event.product_balance,
            event.reason,
        ),
        Event::Released(event) => {
            let (token, session) = (event.token, &event.session_id);
            let mut text =
                format!("released token {token}: {} of {session}", event.product_id.human());
            if event.cause != ReleaseCause::Released {
                text += &format!(" ({})", event.cause);
            }
            if let Some(note) = &event.note {
                text += &format!(": {note}");
            }
            text
        }
        Event::Refused(event) => format!(
            "refused {} to {} ({}, {} of {} used{}{})",
            event.product_id.human(),
            match (&event.session_id, event.sessions) {
                (Some(session), _) => format!("{session}{}", user(event.description.as_ref())),
                (None, sessions) => format!("{} other sessions", sessions.map_or(0, Count::get)),
            },
            event.code,
            event.used_count,
            event.allowed_count,
            if event.times.get() > 1 { format!(", {} times", event.times) } else { String::new() },
            event.waited_seconds.map_or_else(String::new, |waited| format!(", waited {waited} s")),
        ),
        Event::StateChanged(event) => format!("{} is {}", event.session_id, event.state),
        Event::Described(event) => format!("{} described itself differently", event.session_id),
        Event::Moved(event) => match &event.session_ids[..] {
            [session] => format!("moved {session} here"),
            sessions => format!("moved {} sessions here", sessions.len()),
        },
        Event::Adopted(event) => {
            format!("adopted the sessions of {} (epoch {})", event.from_server, event.from_epoch)
        }
        Event::ClockCorrected(_) => "the clock was corrected".to_owned(),
    }
}

/// The user of a session, unless it was erased.
fn user(session: Option<&Session>) -> String {
    match session.map(Session::user_name) {
        None | Some("") => String::new(),
        Some(user) => format!(" of {user}"),
    }
}
