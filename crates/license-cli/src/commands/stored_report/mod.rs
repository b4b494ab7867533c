//! `license report` on a store: the figures of each day, added up by month if asked for.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use license_types::{Count, MonthName, ProductDay, ProductId, ProductMonth, ReportPeriod, Seconds};

use self::days::days;
use crate::anonymize::Pseudonyms;
use crate::arguments::{Counted, Report};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::instant::Instant;
use crate::output::table::Rows;
use crate::output::{csv, hours, instant_in, or_unlimited, product, spelled_in};

mod days;

pub(super) fn run(
    arguments: &Report,
    since: Option<Instant>,
    context: &mut Context<'_, '_>,
) -> Result<Exit, Failure> {
    let pseudonyms = Pseudonyms::asked(&arguments.anonymized, context)?;
    let mut licenses = context.licenses()?;
    let mut days = days(arguments, since, licenses.as_mut(), context)?;
    if days.is_empty() && licenses.info()?.is_none() {
        context.nothing_installed();
    }
    for day in &mut days {
        day.user_name = arguments.user.clone();
        day.session_id = arguments.session.clone();
        if let Some(pseudonyms) = &pseudonyms {
            day.user_name = day.user_name.as_ref().map(|user| pseudonyms.user(user));
            day.session_id = day.session_id.as_ref().map(|id| pseudonyms.session_id(id));
        }
    }
    let mut lines = match arguments.by {
        ReportPeriod::Day => days.into_iter().map(by_day).collect(),
        ReportPeriod::Month => by_month(&days),
    };
    lines.retain(|Line { figures, .. }| arguments.takes(figures));
    if arguments.csv {
        context.data(&separated(&lines, arguments))?;
    } else if !context.json() {
        context.data(&table(&lines, &arguments.time_zone.0, context.width()))?;
    } else if arguments.by == ReportPeriod::Day {
        let days: Vec<ProductDay> = lines.into_iter().map(|line| line.figures).collect();
        context.value(&days)?;
    } else {
        let months: Vec<ProductMonth> = lines.into_iter().map(month).collect();
        context.value(&months)?;
    }
    Ok(Exit::Done)
}

impl Report {
    /// Whether a line is wanted: something of one of the kinds asked for happened.
    fn takes(&self, figures: &ProductDay) -> bool {
        let is_counted = |kind: &Counted| match kind {
            Counted::Retained => figures.retained.get() > 0,
            Counted::Refused => figures.refused.get() > 0,
        };
        self.kind.is_empty() || self.kind.iter().any(is_counted)
    }
}

/// The figures of a product in a period. If that is a month, their own date means nothing.
struct Line {
    period: String,
    figures: ProductDay,
}

impl Line {
    /// Whose figures they are, if not everybody's: the heading and the name.
    fn whose(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let user = self.figures.user_name.as_deref().map(|name| ("user", name));
        let session = self.figures.session_id.as_ref().map(|id| ("session", id.as_str()));
        user.into_iter().chain(session)
    }
}

fn by_day(figures: ProductDay) -> Line {
    Line { period: figures.date.as_str().to_owned(), figures }
}

/// The days of each month added up, in the order of the months.
fn by_month(days: &[ProductDay]) -> Vec<Line> {
    let mut months: BTreeMap<(&str, ProductId), Line> = BTreeMap::new();
    for day in days {
        let date = day.date.as_str();
        let name = date.get(.."2026-01".len()).unwrap_or(date);
        let line = months.entry((name, day.product_id));
        line.and_modify(|line| add(&mut line.figures, day))
            .or_insert_with(|| Line { period: name.to_owned(), figures: day.clone() });
    }
    months.into_values().collect()
}

/// Adds a day to the sum of those before it.
fn add(sum: &mut ProductDay, day: &ProductDay) {
    sum.product_name.clone_from(&day.product_name);
    sum.allowed_count = day.allowed_count;
    if day.peak_used_count > sum.peak_used_count {
        sum.peak_used_count = day.peak_used_count;
        sum.peak_at.clone_from(&day.peak_at);
    }
    let seconds = |a: Seconds, b: Seconds| Seconds::new(a.get() + b.get()).unwrap_or(Seconds::MAX);
    let count = |a: Count, b: Count| Count::new(a.get() + b.get()).unwrap_or(Count::MAX);
    sum.seconds_with_nothing_left =
        seconds(sum.seconds_with_nothing_left, day.seconds_with_nothing_left);
    sum.held_seconds = seconds(sum.held_seconds, day.held_seconds);
    sum.retained = count(sum.retained, day.retained);
    sum.refused = count(sum.refused, day.refused);
    sum.sessions_refused = count(sum.sessions_refused, day.sessions_refused);
    sum.true_refusals = count(sum.true_refusals, day.true_refusals);
}

fn month(Line { period, figures }: Line) -> ProductMonth {
    ProductMonth {
        month: MonthName::new(period).expect("a date begins with its month"),
        time_zone: figures.time_zone,
        product_id: figures.product_id,
        product_name: figures.product_name,
        user_name: figures.user_name,
        session_id: figures.session_id,
        allowed_count: figures.allowed_count,
        peak_used_count: figures.peak_used_count,
        peak_at: figures.peak_at,
        seconds_with_nothing_left: figures.seconds_with_nothing_left,
        held_seconds: figures.held_seconds,
        retained: figures.retained,
        refused: figures.refused,
        sessions_refused: figures.sessions_refused,
        true_refusals: figures.true_refusals,
    }
}

fn table(lines: &[Line], zone: &TimeZone, width: Option<u16>) -> String {
    let Some(first) = lines.first() else {
        return "nothing was retained or refused\n".to_owned();
    };
    let headings = [
        "period",
        "product",
        "allowed",
        "peak",
        "at",
        "none left",
        "hours",
        "retained",
        "refused",
        "sessions",
        "in vain",
    ];
    let whose = first.whose().map(|(heading, _)| heading);
    let headings: Vec<&str> = headings.into_iter().chain(whose).collect();
    let mut rows = Rows::new(&headings, width).right_aligned(2..4).right_aligned(5..11);
    for line in lines {
        let Line { period, figures } = line;
        let minutes = figures.seconds_with_nothing_left.get().div_ceil(60);
        let at = figures.peak_at.as_ref().map(|at| instant_in(at.timestamp(), zone));
        let cells = [
            period.clone(),
            product(&figures.product_name, figures.product_id),
            or_unlimited(figures.allowed_count),
            figures.peak_used_count.to_string(),
            at.unwrap_or_default(),
            format!("{minutes} min"),
            hours(figures.held_seconds.get()),
            figures.retained.to_string(),
            figures.refused.to_string(),
            figures.sessions_refused.to_string(),
            figures.true_refusals.to_string(),
        ];
        rows.row(cells.into_iter().chain(line.whose().map(|(_, name)| name.to_owned())));
    }
    rows.text()
}

/// The figures as comma-separated values: the members of the JSON, in their order, with those at the end
/// that only some questions ask for.
fn separated(lines: &[Line], arguments: &Report) -> String {
    let zone = &arguments.time_zone.0;
    let headings = [
        "period",
        "productId",
        "productName",
        "allowedCount",
        "peakUsedCount",
        "peakAt",
        "secondsWithNothingLeft",
        "heldSeconds",
        "retained",
        "refused",
        "sessionsRefused",
        "trueRefusals",
    ];
    // Of the question and not of the lines: a report of nothing has the columns too.
    let asked = [
        ("timeZone", *zone != TimeZone::UTC && zone.iana_name().is_some()),
        ("userName", arguments.user.is_some()),
        ("sessionId", arguments.session.is_some()),
    ];
    let asked = asked.into_iter().filter_map(|(member, is_asked)| is_asked.then_some(member));
    let mut text = csv::line(headings.into_iter().chain(asked));
    for line in lines {
        let Line { period, figures } = line;
        let peak_at = figures.peak_at.as_ref().map(|at| spelled_in(at, zone));
        let cells = [
            period.clone(),
            figures.product_id.to_string(),
            figures.product_name.clone(),
            figures.allowed_count.to_string(),
            figures.peak_used_count.to_string(),
            peak_at.unwrap_or_default(),
            figures.seconds_with_nothing_left.to_string(),
            figures.held_seconds.to_string(),
            figures.retained.to_string(),
            figures.refused.to_string(),
            figures.sessions_refused.to_string(),
            figures.true_refusals.to_string(),
        ];
        let whose = line.whose().map(|(_, name)| name);
        let asked = figures.time_zone.as_deref().into_iter().chain(whose);
        text += &csv::line(cells.iter().map(String::as_str).chain(asked));
    }
    text
}
