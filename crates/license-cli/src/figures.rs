//! Figures per product and period, from reports of some instants: what these prove, and no more.
//!
//! A retention is held from its time to the last report that lists it. Its frozen counter tells how
//! many licenses were used when it was made. All else went unseen, so each figure is a lower bound.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, civil::Date};
use license_types::{
    Count, PeriodName, ProductId, ReportPeriod, Token, UsageFigures, observed::Retention,
};

use crate::exports::{Described, Export, Report};
use crate::instant::midnight;

/// Lines that a report may have, and days that its retentions may span together.
const LINES_MAX: usize = 1_000_000;

/// No retention is taken to begin earlier, so that every day has a year of four digits.
const EARLIEST: Timestamp = Timestamp::constant(-62_135_510_400, 0);

/// What is asked for.
pub(crate) struct Question {
    pub by: ReportPeriod,
    pub zone: TimeZone,
    /// Only within these instants.
    pub within: Range<Timestamp>,
    pub product: Option<ProductId>,
    pub user: Option<String>,
}

/// There are too many periods to list.
#[derive(Debug)]
pub(crate) struct TooMany;

/// The figures that the exports prove, by period and product; the exports are in the order of
/// their instants.
pub(crate) fn figures(
    exports: &[Export],
    question: &Question,
) -> Result<Vec<UsageFigures>, TooMany> {
    let mut names = BTreeMap::new();
    let mut allowed: Vec<(Timestamp, HashMap<ProductId, Count>)> = Vec::new();
    for export in exports {
        match &export.report {
            Report::Usage(retentions) => names.extend(
                retentions.iter().map(|retention| (retention.product_id, &*retention.product_name)),
            ),
            Report::Info(info) => {
                names.extend(info.products.iter().map(|product| (product.id, &*product.name)));
                let counts =
                    info.products.iter().map(|product| (product.id, product.allowed_count));
                allowed.push((export.at, counts.collect()));
            }
        }
    }
    names.retain(|id, _| question.product.is_none_or(|product| product == *id));
    let lines = lines(exports, question, &names)?;
    let lines = lines.into_iter().map(|((date, product), line)| {
        let end = question.period(date).end;
        let allowed = allowed.iter().rfind(|(at, _)| *at < end);
        let allowed = allowed.and_then(|(_, counts)| counts.get(&product).copied());
        line.figures(question.name(date), product, names[&product], allowed)
    });
    Ok(lines.collect())
}

/// What is known of one product in one period.
#[derive(Default)]
struct Line<'a> {
    snapshots: Vec<Timestamp>,
    held: Vec<Held<'a>>,
}

/// A retention, and when it is proven to be held: from the first instant to the last.
#[derive(Clone, Copy)]
struct Held<'a> {
    retention: &'a Retention,
    from: Timestamp,
    to: Timestamp,
    /// How many licenses were used at `from`, where its counter tells.
    used_count: u64,
}

fn lines<'a>(
    exports: &'a [Export],
    question: &Question,
    names: &BTreeMap<ProductId, &str>,
) -> Result<BTreeMap<(Date, ProductId), Line<'a>>, TooMany> {
    let mut lines: BTreeMap<(Date, ProductId), Line<'_>> = BTreeMap::new();
    for export in exports.iter().filter(|export| question.within.contains(&export.at)) {
        if let Report::Usage(_) = export.report {
            for product in names.keys() {
                let line = lines.entry((question.date(export.at), *product)).or_default();
                line.snapshots.push(export.at);
            }
        }
    }
    let mut spans = 0;
    for held in held(exports, question) {
        let mut date = question.date(held.from.max(question.within.start));
        loop {
            let period = question.period(date);
            let period =
                period.start.max(question.within.start)..period.end.min(question.within.end);
            if period.is_empty() || held.from >= period.end || held.to < period.start {
                break;
            }
            spans += 1;
            if spans > LINES_MAX {
                return Err(TooMany);
            }
            let line = lines.entry((date, held.retention.product_id)).or_default();
            let is_new = period.contains(&held.from);
            line.held.push(Held {
                from: held.from.max(period.start),
                to: held.to.min(period.end),
                used_count: if is_new { held.used_count } else { 0 },
                ..held
            });
            let Some(next) = question.next(date) else { break };
            date = next;
        }
    }
    if lines.len() > LINES_MAX { Err(TooMany) } else { Ok(lines) }
}

/// The retentions that are asked for, each once however many reports list it.
fn held<'a>(exports: &'a [Export], question: &Question) -> Vec<Held<'a>> {
    let mut held: Vec<Held<'_>> = Vec::new();
    let mut known: HashMap<(Token, ProductId, &str, Option<String>), usize> = HashMap::new();
    for export in exports {
        let Report::Usage(retentions) = &export.report else { continue };
        for retention in retentions {
            let session = &retention.session;
            if question.product.is_some_and(|product| product != retention.product_id)
                || question.user.as_ref().is_some_and(|user| user != session.user())
            {
                continue;
            }
            let key =
                (retention.token, retention.product_id, retention.time.as_str(), session.key());
            if let Some(&index) = known.get(&key) {
                held[index].to = export.at.max(held[index].to);
                continue;
            }
            known.insert(key, held.len());
            // A time after the report's own instant cannot be right; that it is held there is.
            let time = retention.time.timestamp().filter(|time| *time <= export.at);
            let used = retention.global_product_used_count.unwrap_or(retention.product_used_count);
            let is_counted = time.is_some() && question.user.is_none();
            held.push(Held {
                retention,
                from: time.unwrap_or(export.at).max(EARLIEST),
                to: export.at.max(EARLIEST),
                used_count: if is_counted { used.get() } else { 0 },
            });
        }
    }
    held
}

impl Line<'_> {
    fn figures(
        self,
        period: PeriodName,
        product_id: ProductId,
        name: &str,
        allowed_count: Option<Count>,
    ) -> UsageFigures {
        let (peak, peak_at) = self.peak();
        let users: BTreeSet<&str> =
            self.held.iter().map(|held| held.retention.session.user()).collect();
        let sessions = self.held.iter().map(|held| {
            let retention = held.retention;
            let key = retention.session.key();
            key.unwrap_or_else(|| format!("sql {} {}", retention.token, retention.time))
        });
        let sessions: BTreeSet<String> = sessions.collect();
        let seconds = |held: &Held<'_>| held.to.duration_since(held.from).as_millis();
        let milliseconds: i128 = self.held.iter().map(seconds).sum();
        UsageFigures {
            period,
            product_id,
            product_name: name.to_owned(),
            snapshots: count(self.snapshots.len() as u64),
            allowed_count,
            peak_used_count: count(peak),
            peak_at: peak_at.into(),
            users: count(users.len() as u64),
            sessions: count(sessions.len() as u64),
            retentions: count(self.held.len() as u64),
            held_seconds: count(u64::try_from(milliseconds / 1000).unwrap_or(0)),
        }
    }

    /// The most that were in use at once, and the first instant that proves it.
    fn peak(&self) -> (u64, Timestamp) {
        let begins = self.held.iter().map(|held| (held.from, false));
        let ends = self.held.iter().map(|held| (held.to, true));
        let mut changes: Vec<(Timestamp, bool)> = begins.chain(ends).collect();
        changes.sort_unstable(); // at one instant, beginnings first: both are held then
        let first = self.held.iter().map(|held| held.from).chain(self.snapshots.iter().copied());
        let mut peak = (0, first.min().unwrap_or(Timestamp::UNIX_EPOCH));
        let mut used = 0;
        for (at, is_end) in changes {
            match is_end {
                true => used -= 1,
                false => used += 1,
            }
            if used > peak.0 {
                peak = (used, at);
            }
        }
        for held in &self.held {
            if (held.used_count, peak.1) > (peak.0, held.from) {
                peak = (held.used_count, held.from);
            }
        }
        peak
    }
}

impl Question {
    /// The first day of the period in which an instant lies.
    fn date(&self, at: Timestamp) -> Date {
        let date = at.to_zoned(self.zone.clone()).date();
        match self.by {
            ReportPeriod::Day => date,
            ReportPeriod::Month => date.first_of_month(),
        }
    }

    /// The first day of the next period.
    fn next(&self, date: Date) -> Option<Date> {
        match self.by {
            ReportPeriod::Day => date.tomorrow().ok(),
            ReportPeriod::Month => date.checked_add(1.month()).ok(),
        }
    }

    fn period(&self, date: Date) -> Range<Timestamp> {
        let end = self.next(date).map_or(Timestamp::MAX, |next| midnight(next, &self.zone));
        midnight(date, &self.zone)..end
    }

    fn name(&self, date: Date) -> PeriodName {
        let text = match self.by {
            ReportPeriod::Day => date.strftime("%Y-%m-%d"),
            ReportPeriod::Month => date.strftime("%Y-%m"),
        };
        PeriodName::new(text.to_string()).expect("no period is before the year 1")
    }
}

fn count(number: u64) -> Count {
    Count::new(number).unwrap_or(Count::MAX)
}
