//! `license report`: figures per product and period. Those of exported reports are made here, those of a
//! store in `stored_report`.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use license_types::{ReportSourceKind, UsageFigures, UsageReport, UsageReportSource};

use super::stored_report;
use crate::anonymize::Pseudonyms;
use crate::arguments;
use crate::context::Context;
use crate::exit::Exit;
use crate::exports::{self, Export, Record};
use crate::failure::Failure;
use crate::figures::{Figures, Question, TooMany};
use crate::instant::span;
use crate::output::table::Rows;
use crate::output::{csv, hours, instant, instant_in, product, spelled_in};

pub(super) fn run(
    arguments: &arguments::Report,
    context: &mut Context<'_, '_>,
) -> Result<Exit, Failure> {
    if let Some(since) = arguments.of_store() {
        return stored_report::run(arguments, since, context);
    }
    if arguments.session.is_some() || !arguments.kind.is_empty() {
        let detail = "exported reports tell neither the ids of sessions nor refusals";
        let cure = "without --from FILE, --session and --kind narrow the figures of a store";
        return Err(Failure::usage(detail).hint(cure));
    }
    let pseudonyms = Pseudonyms::asked(&arguments.anonymized, context)?;
    let zone = arguments.time_zone.0.clone();
    let (start, end) = span(arguments.since, arguments.until, &zone)?;
    let (start, end) = (start.unwrap_or(Timestamp::MIN), end.unwrap_or(Timestamp::MAX));
    let time_zone = zone.iana_name().unwrap_or("UTC").to_owned();
    let question = Question {
        by: arguments.by,
        zone: zone.clone(),
        within: start..end,
        product: arguments.product,
        user: arguments.user.clone(),
    };
    let mut figures = Figures::new(question);
    let mut exports = exports::list(&arguments.exports, context)?;
    exports.sort_by_key(|export| export.at);
    let mut sources = Vec::new();
    for export in &exports {
        read(export, &mut figures, &mut sources, context)?;
    }
    if let Some(pseudonyms) = &pseudonyms {
        sources.iter_mut().for_each(|source| source.file = pseudonyms.file(&source.file));
    }
    let figures = figures.lines().map_err(|TooMany| {
        let detail = "the retentions span more than a million days";
        Failure::usage(detail).hint("narrow them with --since, or count --by month")
    })?;
    if arguments.csv {
        context.data(&separated(&figures, &zone))?;
    } else if context.json() {
        context.value(&UsageReport { by: arguments.by, time_zone, sources, figures })?;
    } else {
        context.data(&table(&figures, &zone, context.width()))?;
        context.say("each figure is what the reports prove, at least: see `license report --help`");
    }
    Ok(Exit::Done)
}

/// Reads one file into the figures, and warns if its instant cannot be right.
fn read(
    export: &Export,
    figures: &mut Figures,
    sources: &mut Vec<UsageReportSource>,
    context: &mut Context<'_, '_>,
) -> Result<(), Failure> {
    let Export { file, at, .. } = export;
    let (mut later, mut infos) = (0, 0);
    let is_usage = export.read(context, |record| {
        match record {
            Record::Retention(retention) => {
                let time = retention.time.timestamp();
                later += u64::from(time.is_some_and(|time| time > *at));
                figures.retention(*at, &retention);
            }
            Record::Info(info) => {
                infos += 1;
                figures.info(*at, &info);
            }
        }
        Ok(())
    })?;
    let source = |kind| UsageReportSource { file: file.clone(), kind, at: (*at).into() };
    sources.extend((0..infos).map(|_| source(ReportSourceKind::Info)));
    if is_usage {
        figures.usage(*at);
        sources.push(source(ReportSourceKind::Usage));
    }
    if later > 0 {
        let at = instant(*at);
        context.say(&format!(
            "warning: {file} lists {later} retained after {at}, when it is said to be exported\n\
             hint: tell the instant with --at"
        ));
    }
    Ok(())
}

fn table(figures: &[UsageFigures], zone: &TimeZone, width: Option<u16>) -> String {
    if figures.is_empty() {
        return "the reports show nothing of it\n".to_owned();
    }
    let headings = [
        "period",
        "product",
        "reports",
        "allowed",
        "peak",
        "at",
        "users",
        "sessions",
        "retentions",
        "hours",
    ];
    let mut rows = Rows::new(&headings, width).right_aligned(2..5).right_aligned(6..10);
    for line in figures {
        rows.row([
            line.period.to_string(),
            product(&line.product_name, line.product_id),
            line.snapshots.to_string(),
            line.allowed_count.map_or_else(String::new, |count| count.to_string()),
            line.peak_used_count.to_string(),
            instant_in(line.peak_at.timestamp(), zone),
            line.users.to_string(),
            line.sessions.to_string(),
            line.retentions.to_string(),
            hours(line.held_seconds.get()),
        ]);
    }
    rows.text()
}

/// The figures as comma-separated values: the members of the JSON, in their order.
fn separated(figures: &[UsageFigures], zone: &TimeZone) -> String {
    let mut text = csv::line([
        "period",
        "productId",
        "productName",
        "snapshots",
        "allowedCount",
        "peakUsedCount",
        "peakAt",
        "users",
        "sessions",
        "retentions",
        "heldSeconds",
    ]);
    for line in figures {
        text += &csv::line([
            line.period.as_str(),
            &line.product_id.to_string(),
            &line.product_name,
            &line.snapshots.to_string(),
            &line.allowed_count.map_or_else(String::new, |count| count.to_string()),
            &line.peak_used_count.to_string(),
            &spelled_in(&line.peak_at, zone),
            &line.users.to_string(),
            &line.sessions.to_string(),
            &line.retentions.to_string(),
            &line.held_seconds.to_string(),
        ]);
    }
    text
}
