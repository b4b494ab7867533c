//! `license report` on a store: the figures that it keeps of every day, put together by month where
//! that is asked for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use license_types::{Count, MonthName, ProductDay, ProductId, ProductMonth, ReportPeriod, Seconds};

use crate::arguments::Report;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::instant::Instant;
use crate::output::table::Rows;
use crate::output::{csv, or_unlimited, product, time};

pub(super) fn run(
    arguments: &Report,
    since: Option<Instant>,
    context: &mut Context<'_, '_>,
) -> Result<Exit, Failure> {
    if arguments.user.is_some() {
        let detail = "the figures of a store are of all users together";
        let cure = "`license history --user NAME` shows what a user held; --from reads reports";
        return Err(Failure::usage(detail).hint(cure));
    }
    if arguments.time_zone.0 != TimeZone::UTC {
        let detail = "the figures of a store are of days in UTC, and tell nothing of other days";
        let cure = "`license history --time-zone NAME` shows the entries of a day there";
        return Err(Failure::usage(detail).hint(cure));
    }
    let start = since.map_or(Timestamp::MIN, |since| since.start(&TimeZone::UTC));
    let end = arguments.until.map_or(Timestamp::MAX, |until| until.end(&TimeZone::UTC));
    let mut licenses = context.licenses()?;
    let mut days = licenses.days(start..end)?;
    if days.is_empty() && licenses.info()?.is_none() {
        context.nothing_installed();
    }
    days.retain(|day| arguments.product.is_none_or(|product| product == day.product_id));
    match (arguments.by, arguments.csv, context.json()) {
        (ReportPeriod::Day, false, true) => context.value(&days)?,
        (ReportPeriod::Month, false, true) => {
            let months: Vec<ProductMonth> = by_month(&days).into_iter().map(month).collect();
            context.value(&months)?;
        }
        (by, csv, _) => {
            let lines = match by {
                ReportPeriod::Day => days.into_iter().map(by_day).collect(),
                ReportPeriod::Month => by_month(&days),
            };
            let text = if csv { separated(&lines) } else { table(&lines, context.width()) };
            context.data(&text)?;
        }
    }
    Ok(Exit::Done)
}

/// The figures of a product in a period; their own date says nothing where that is a month.
struct Line {
    period: String,
    figures: ProductDay,
}

fn by_day(figures: ProductDay) -> Line {
    Line { period: figures.date.as_str().to_owned(), figures }
}

/// The days of each month put together, in the order of the months.
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

/// Adds a day to those before it.
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
        product_id: figures.product_id,
        product_name: figures.product_name,
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

fn table(lines: &[Line], width: Option<u16>) -> String {
    if lines.is_empty() {
        return "nothing was retained or refused\n".to_owned();
    }
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
    let mut rows = Rows::new(&headings, width).right_aligned(2..4).right_aligned(5..11);
    for Line { period, figures } in lines {
        let tenths = figures.held_seconds.get() / 360;
        let minutes = figures.seconds_with_nothing_left.get().div_ceil(60);
        rows.row([
            period.clone(),
            product(&figures.product_name, figures.product_id),
            or_unlimited(figures.allowed_count),
            figures.peak_used_count.to_string(),
            figures.peak_at.as_ref().map_or_else(String::new, time),
            format!("{minutes} min"),
            format!("{}.{}", tenths / 10, tenths % 10),
            figures.retained.to_string(),
            figures.refused.to_string(),
            figures.sessions_refused.to_string(),
            figures.true_refusals.to_string(),
        ]);
    }
    rows.text()
}

/// The same members as in the JSON, in their order.
fn separated(lines: &[Line]) -> String {
    let mut text = csv::line([
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
    ]);
    for Line { period, figures } in lines {
        text += &csv::line([
            &**period,
            &figures.product_id.to_string(),
            &figures.product_name,
            &figures.allowed_count.to_string(),
            &figures.peak_used_count.to_string(),
            figures.peak_at.as_ref().map_or("", |at| at.as_str()),
            &figures.seconds_with_nothing_left.to_string(),
            &figures.held_seconds.to_string(),
            &figures.retained.to_string(),
            &figures.refused.to_string(),
            &figures.sessions_refused.to_string(),
            &figures.true_refusals.to_string(),
        ]);
    }
    text
}
