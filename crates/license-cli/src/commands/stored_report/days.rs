//! The figures of each day: as the store keeps them, or counted anew from the log.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use license_core::{Part, Told};
use license_types::ProductDay;

use crate::arguments::Report;
use crate::context::Context;
use crate::failure::Failure;
use crate::instant::{Instant, span};
use crate::licenses::Licenses;
use crate::output::progress::Progress;
use crate::retold::{self, Question};

/// The figures of each day. The store keeps them for all users by UTC days; those of one user or
/// session, or of the days of another time zone, are counted anew.
pub(super) fn days(
    arguments: &Report,
    since: Option<Instant>,
    licenses: &mut dyn Licenses,
    context: &mut Context<'_, '_>,
) -> Result<Vec<ProductDay>, Failure> {
    let zone = arguments.time_zone.0.clone();
    let (start, end) = span(since, arguments.until, &zone)?;
    let (start, end) = (start.unwrap_or(Timestamp::MIN), end.unwrap_or(Timestamp::MAX));
    let (within, product) = (start..end, arguments.product);
    let kept = |licenses: &mut dyn Licenses| {
        let mut days = licenses.days(within.clone())?;
        days.retain(|day| product.is_none_or(|product| product == day.product_id));
        Ok(days)
    };
    let (user, session) = (arguments.user.clone(), arguments.session.clone());
    let is_of_some = user.is_some() || session.is_some();
    if !is_of_some && zone == TimeZone::UTC {
        return kept(licenses);
    }
    let part = Part { product, user, session };
    let question = Question { part, zone: zone.clone(), within: within.clone() };
    let now = context.env.clock.now();
    let mut progress = Progress::of_entries("report", context.env.stderr_is_terminal);
    let told = retold::tell(licenses, &question, now, &mut |reached, end| {
        progress.total(end);
        progress.advance(reached, context.env.stderr);
    });
    progress.wipe(context.env.stderr);
    let mut told = told?;
    if let Some(first) = told.since.filter(|first| start < *first) {
        let is_part = first < end.min(now);
        begins_later(first, &zone, (since, is_part), context)?;
    }
    say_unknown(&told, context);
    if zone == TimeZone::UTC {
        // The log may no longer have the licenses that were installed then, but the store still knows,
        // for UTC days, what was allowed.
        told.allow(kept(licenses)?);
    }
    let mut days = told.days;
    if zone != TimeZone::UTC {
        let name = zone.iana_name().map(str::to_owned);
        days.iter_mut().for_each(|day| day.time_zone.clone_from(&name));
    }
    Ok(days)
}

/// Says that the figures begin later than asked for, since older entries are deleted. If a beginning was
/// asked for, or nothing can be told at all, that is a failure, so that nobody takes a part for the
/// whole, and days of which nobody knows for days on which nothing happened.
fn begins_later(
    first: Timestamp,
    zone: &TimeZone,
    (since, is_part): (Option<Instant>, bool),
    context: &mut Context<'_, '_>,
) -> Result<(), Failure> {
    let first = first.to_zoned(zone.clone()).date();
    let what = format!("such figures can be told from {first} on: entries before are deleted");
    match since {
        None if is_part => context.say(&what),
        None => return Err(Failure::usage(what)),
        Some(_) => return Err(Failure::usage(what).hint(format!("begin with --since {first}"))),
    }
    Ok(())
}

/// Says how much could not be counted, since it is unknown whose it was.
fn say_unknown(told: &Told, context: &mut Context<'_, '_>) {
    let (retentions, refusals) = (told.unknown_retentions, told.unknown_refusals);
    if retentions > 0 || refusals > 0 {
        context.say(&format!(
            "not counted, since nobody knows whose they were: retentions {retentions}, refusals \
             {refusals}; descriptions are erased or deleted, or the log names no session"
        ));
    }
}
