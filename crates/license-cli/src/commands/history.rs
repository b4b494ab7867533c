//! `license history`: the log, entry by entry.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use license_types::{Count, Entry, Event, ProductId, ReleaseCause, SessionId};

use crate::arguments::{EventKind, History};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::text::escaped;
use crate::output::{json_line, product, time};

pub(super) fn run(arguments: &History, context: &mut Context<'_, '_>) -> Result<Exit, Failure> {
    let mut licenses = context.licenses()?;
    if arguments.verify {
        let check = licenses.check()?;
        if let Some(fault) = check.ledgers.into_iter().find_map(|ledger| ledger.fault) {
            return Err(Failure::damaged(fault));
        }
        context.say("the chain of every ledger verifies");
    }
    let json = context.json();
    let mut anything = false;
    licenses.history(&mut |entry| {
        anything = true;
        if !wanted(&entry, arguments) {
            return Ok(());
        }
        let line = if json { json_line(&entry) } else { line(&entry) };
        context.data(&line)
    })?;
    if !anything {
        context.nothing_installed();
    }
    Ok(Exit::Done)
}

fn wanted(entry: &Entry, arguments: &History) -> bool {
    let subject = Subject::of(&entry.event);
    let time: Timestamp = entry.time.timestamp();
    (arguments.kind.is_empty() || arguments.kind.contains(&subject.kind))
        && arguments.product.is_none_or(|product| subject.product == Some(product))
        && arguments.session.as_ref().is_none_or(|session| subject.sessions.contains(session))
        && arguments.from.is_none_or(|from| from.start(&TimeZone::UTC) <= time)
        && arguments.to.is_none_or(|to| time < to.end(&TimeZone::UTC))
}

/// What an event is about, for those who look for it.
struct Subject<'a> {
    kind: EventKind,
    product: Option<ProductId>,
    sessions: &'a [SessionId],
}

impl Subject<'_> {
    fn of(event: &Event) -> Subject<'_> {
        use std::slice::from_ref;
        let (kind, product, sessions) = match event {
            Event::Installed(_) => (EventKind::Installed, None, &[][..]),
            Event::Retained(event) => {
                (EventKind::Retained, Some(event.product_id), from_ref(&event.session_id))
            }
            Event::Released(event) => {
                (EventKind::Released, Some(event.product_id), from_ref(&event.session_id))
            }
            Event::Refused(event) => {
                (EventKind::Refused, Some(event.product_id), event.session_id.as_slice())
            }
            Event::StateChanged(event) => {
                (EventKind::StateChanged, None, from_ref(&event.session_id))
            }
            Event::Described(event) => (EventKind::Described, None, from_ref(&event.session_id)),
            Event::Moved(event) => (EventKind::Moved, None, &event.session_ids[..]),
            Event::Adopted(_) => (EventKind::Adopted, None, &[][..]),
            Event::ClockCorrected(_) => (EventKind::ClockCorrected, None, &[][..]),
        };
        Subject { kind, product, sessions }
    }
}

fn line(entry: &Entry) -> String {
    let Entry { sequence, server, .. } = entry;
    let text =
        format!("{:>6}  {}  {server}  {}", sequence.get(), time(&entry.time), said(&entry.event));
    escaped(&text).into_owned() + "\n"
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
        Event::Retained(event) => format!(
            "retained token {}: {} for {} ({} used, {} left, {})",
            event.token,
            product(&event.product_name, event.product_id),
            event.session_id,
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
            "refused {} to {} ({}, {} of {} used{})",
            event.product_id.human(),
            match (&event.session_id, event.sessions) {
                (Some(session), _) => session.to_string(),
                (None, sessions) => format!("{} other sessions", sessions.map_or(0, Count::get)),
            },
            event.code,
            event.used_count,
            event.allowed_count,
            if event.times.get() > 1 { format!(", {} times", event.times) } else { String::new() },
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
