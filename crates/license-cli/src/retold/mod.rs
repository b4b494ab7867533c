//! Computes anew, from the history, what is not stored as such: figures of one user or session or by the
//! days of another time zone, and the chain of hashes. It works on a store and through a server alike.
//!
//! A server may delete its oldest entries while they are read here. So each computation looks afterwards
//! whether the log still begins where it did, and starts over if not. Of retentions that began before the
//! oldest entry, tokens tell: see [`before`].

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use license_core::{HeldBefore, Part, Tally, Told};
use license_pool::{ChainCheck, HistoryPage, License, Selection, explained};
use license_types::{Entry, Event, EventKind, LicenseInfo, ProductId, SessionId, Token};

use crate::failure::Failure;
use crate::licenses::Licenses;

#[cfg(test)]
mod tests;

/// Which figures are wanted.
pub(crate) struct Question {
    pub part: Part,
    pub zone: TimeZone,
    /// Only those of days that lie at least partly in it.
    pub within: Range<Timestamp>,
}

/// Called with how many entries were read, and how many there are.
pub(crate) type Reached<'a> = &'a mut dyn FnMut(u64, u64);

/// Computes figures; open spans count up to `now`.
pub(crate) fn tell(
    licenses: &mut dyn Licenses,
    question: &Question,
    now: Timestamp,
    reached: Reached<'_>,
) -> Result<Told, Failure> {
    loop {
        let Question { part, zone, within } = question;
        let mut tally = Tally::new(part.clone(), zone.clone(), within.clone());
        let Some(first) = licenses.first()? else { return Ok(tally.told(now)) };
        let sequence = first.sequence;
        if sequence.get() > 1 {
            let Before { held, license } = before(licenses, part)?;
            license_core::Entry::from_wire(first)
                .and_then(|first| tally.begin(&first, &held, license))
                .map_err(broken)?;
        }
        let mut counted = Ok(());
        licenses.history(
            Selection::default(),
            &mut |HistoryPage { entries, reached: at, end, .. }| {
                for entry in entries {
                    if counted.is_ok() {
                        let entry = license_core::Entry::from_wire(entry);
                        counted = entry.and_then(|entry| tally.count(&entry));
                    }
                }
                reached(at, end);
                Ok(())
            },
        )?;
        // If the log begins elsewhere now, entries were deleted while they were read, and some may be
        // missing: start over.
        if licenses.first()?.is_some_and(|first| first.sequence == sequence) {
            return counted.map(|()| tally.told(now)).map_err(broken);
        }
    }
}

fn broken(fault: license_core::Fault) -> Failure {
    Failure::damaged(explained(&fault))
}

/// Recomputes the chain of the log. If that fails because the oldest entries were deleted meanwhile, it
/// starts over, since that is no fault.
pub(crate) fn verify(
    licenses: &mut dyn Licenses,
    reached: &mut dyn FnMut(u64),
) -> Result<ChainCheck, Failure> {
    loop {
        let check = licenses.verify(reached)?;
        if check.fault.is_none() || !is_shortened(licenses, check.first) {
            return Ok(check);
        }
    }
}

/// Whether the log began with entry `first`, and now begins later. If it cannot be read, it is taken not
/// to: the fault that was found stands.
fn is_shortened(licenses: &mut dyn Licenses, first: u64) -> bool {
    first > 0 && begins_at(licenses) > first
}

/// The sequence of the oldest entry that is still there; 0 if there is none that can be read.
pub(crate) fn begins_at(licenses: &mut dyn Licenses) -> u64 {
    licenses.first().ok().flatten().map_or(0, |first| first.sequence.get())
}

/// What was held before the oldest entry that is still there, and from which license.
struct Before {
    held: Vec<HeldBefore>,
    /// The license then, if it is known.
    license: Option<Arc<License>>,
}

/// What is known of a retention that was held before.
struct Known {
    product: ProductId,
    product_name: Arc<str>,
    session: Option<SessionId>,
    user: Option<String>,
}

/// Finds what was held before the oldest entry that is still there. Tokens are consecutive, so it is all
/// that is held now, or was released since, and has a lower token than the first retention in the log.
fn before(licenses: &mut dyn Licenses, part: &Part) -> Result<Before, Failure> {
    let mut known: BTreeMap<Token, Known> = BTreeMap::new();
    for held in licenses.usage(None, false)? {
        let retention = held.retention;
        let product_name = Arc::from(retention.product_name);
        let user = Some(retention.session.user_name().to_owned());
        let told = Known { product: retention.product_id, product_name, session: None, user };
        known.insert(retention.token, told);
    }
    if let Some(session) = &part.session {
        for token in licenses.holding(session)? {
            if let Some(known) = known.get_mut(&token) {
                known.session = Some(session.clone());
            }
        }
    }
    let info = licenses.info()?;
    let (mut first, mut was_changed) = (None, false);
    let kinds =
        [EventKind::Installed, EventKind::Uninstalled, EventKind::Retained, EventKind::Released];
    let wanted = Selection { kinds: kinds.to_vec(), ..Selection::default() };
    licenses.history(wanted, &mut |page| {
        for Entry { event, .. } in page.entries {
            match event {
                Event::Installed(_) | Event::Uninstalled(_) => was_changed = true,
                Event::Retained(event) => drop(first.get_or_insert(event.token)),
                Event::Released(event) if first.is_none_or(|first| event.token < first) => {
                    let product = event.product_id;
                    let product_name = Arc::from(product.human());
                    let (session, user) = (None, None);
                    let unknown = Known { product, product_name, session, user };
                    let known = known.entry(event.token).or_insert(unknown);
                    known.session = Some(event.session_id);
                }
                Event::Released(_)
                | Event::Refused(_)
                | Event::StateChanged(_)
                | Event::Described(_)
                | Event::Moved(_)
                | Event::Adopted(_)
                | Event::ClockCorrected(_) => {}
            }
        }
        Ok(())
    })?;
    known.retain(|token, _| first.is_none_or(|first| *token < first));
    let held = known.into_iter().map(|(token, known)| {
        let Known { product, product_name, session, user } = known;
        let whose = part.whose(session.as_ref(), user.as_deref());
        HeldBefore { token, product, product_name, session: session.map(Arc::new), whose }
    });
    let license = info.filter(|_| !was_changed).map(in_force).transpose()?;
    Ok(Before { held: held.collect(), license })
}

/// The license of a License info, for a log in which it was never changed.
fn in_force(mut info: LicenseInfo) -> Result<Arc<License>, Failure> {
    // A product without rights is listed only because it is still held; the license does not grant it.
    info.products.retain(|product| !product.rights.is_empty());
    let document = serde_json::to_vec(&info).expect("our values are JSON");
    License::parse(&document).map(Arc::new).map_err(|error| Failure::internal(explained(&error)))
}
