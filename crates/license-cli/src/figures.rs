//! Figures per product and period from exported reports: only what those prove.
//!
//! A retention is proven to be held from its time to the last report that lists it, and its frozen
//! counter says how many licenses were used when it was made. What happened between two reports went
//! unseen, so each figure is a lower bound.

use std::collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry};
use std::ops::Range;
use std::rc::Rc;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, civil::Date};
use license_types::{
    Count, PeriodName, ProductId, ReportPeriod, Token, UsageFigures,
    observed::{LicenseInfo, Retention},
};

use crate::exports::Described;
use crate::instant::midnight;

/// The most lines of a report, and the most periods that its retentions may span together.
const LINES_MAX: usize = 1_000_000;

/// The earliest time that a retention is taken to begin, so that no day lies before the year 1.
const EARLIEST: Timestamp = Timestamp::constant(-62_135_510_400, 0);

/// Which figures are wanted.
pub(crate) struct Question {
    pub by: ReportPeriod,
    pub zone: TimeZone,
    /// Only within these instants.
    pub within: Range<Timestamp>,
    pub product: Option<ProductId>,
    pub user: Option<String>,
}

/// The retentions span too many periods to list.
#[derive(Debug)]
pub(crate) struct TooMany;

/// Collects what reports say; they must come in the order of their instants. A retention is kept once,
/// however many reports list it.
pub(crate) struct Figures {
    question: Question,
    names: BTreeMap<ProductId, String>,
    allowed: Vec<(Timestamp, HashMap<ProductId, Count>)>,
    snapshots: Vec<Timestamp>,
    seen: BTreeMap<Identity, Seen>,
    users: BTreeSet<Rc<str>>,
}

/// What distinguishes a retention from others.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Identity {
    token: Token,
    product: ProductId,
    time: Box<str>,
    session: Option<Box<str>>,
}

/// A retention, and when it is proven to be held: from the first instant to the last.
struct Seen {
    user: Rc<str>,
    from: Timestamp,
    to: Timestamp,
    /// How many licenses were used at `from` by its counter; 0 if that cannot tell.
    used_count: u64,
}

/// What is known of one product in one period.
#[derive(Default)]
struct Line<'a> {
    snapshots: Vec<Timestamp>,
    held: Vec<Held<'a>>,
}

/// A retention, clipped to a period.
struct Held<'a> {
    identity: &'a Identity,
    user: &'a str,
    from: Timestamp,
    to: Timestamp,
    used_count: u64,
}

impl Figures {
    pub(crate) fn new(question: Question) -> Figures {
        Figures {
            question,
            names: BTreeMap::new(),
            allowed: Vec::new(),
            snapshots: Vec::new(),
            seen: BTreeMap::new(),
            users: BTreeSet::new(),
        }
    }

    /// Takes in a License info of that instant.
    pub(crate) fn info(&mut self, at: Timestamp, info: &LicenseInfo) {
        for product in &info.products {
            self.name(product.id, &product.name);
        }
        let counts = info.products.iter().map(|product| (product.id, product.allowed_count));
        self.allowed.push((at, counts.collect()));
    }

    /// Takes in that there is a usage report of that instant.
    pub(crate) fn usage(&mut self, at: Timestamp) {
        self.snapshots.push(at);
    }

    /// Takes in a retention that was held at that instant.
    pub(crate) fn retention(&mut self, at: Timestamp, retention: &Retention) {
        self.name(retention.product_id, &retention.product_name);
        let (question, session) = (&self.question, &retention.session);
        if question.product.is_some_and(|product| product != retention.product_id)
            || question.user.as_ref().is_some_and(|user| user != session.user())
        {
            return;
        }
        let identity = Identity {
            token: retention.token,
            product: retention.product_id,
            time: retention.time.as_str().into(),
            session: session.key().map(Into::into),
        };
        let entry = match self.seen.entry(identity) {
            Entry::Occupied(entry) => {
                let seen = entry.into_mut();
                seen.to = at.max(seen.to);
                return;
            }
            Entry::Vacant(entry) => entry,
        };
        let user = self.users.get(session.user()).cloned().unwrap_or_else(|| {
            let user: Rc<str> = session.user().into();
            self.users.insert(user.clone());
            user
        });
        // A time after the report's own instant is wrong; then it is only known to be held at that.
        let time = retention.time.timestamp().filter(|time| *time <= at);
        let used = retention.global_product_used_count.unwrap_or(retention.product_used_count);
        let is_counted = time.is_some() && question.user.is_none();
        entry.insert(Seen {
            user,
            from: time.unwrap_or(at).max(EARLIEST),
            to: at.max(EARLIEST),
            used_count: if is_counted { used.get() } else { 0 },
        });
    }

    /// The figures that the reports prove, by period and product.
    pub(crate) fn lines(mut self) -> Result<Vec<UsageFigures>, TooMany> {
        let asked = self.question.product;
        self.names.retain(|id, _| asked.is_none_or(|product| product == *id));
        let lines = self.held()?.into_iter().map(|((date, product), line)| {
            let end = self.question.period(date).end;
            let allowed = self.allowed.iter().rfind(|(at, _)| *at < end);
            let allowed = allowed.and_then(|(_, counts)| counts.get(&product).copied());
            line.figures(self.question.name(date), product, &self.names[&product], allowed)
        });
        Ok(lines.collect())
    }

    /// What was held in each period by product; also empty periods of which there is a usage report.
    fn held(&self) -> Result<BTreeMap<(Date, ProductId), Line<'_>>, TooMany> {
        let question = &self.question;
        let mut lines: BTreeMap<(Date, ProductId), Line<'_>> = BTreeMap::new();
        for &at in self.snapshots.iter().filter(|at| question.within.contains(at)) {
            for product in self.names.keys() {
                lines.entry((question.date(at), *product)).or_default().snapshots.push(at);
            }
        }
        let mut spans = 0;
        for (identity, seen) in &self.seen {
            let mut date = question.date(seen.from.max(question.within.start));
            loop {
                let period = question.period(date);
                let period =
                    period.start.max(question.within.start)..period.end.min(question.within.end);
                if period.is_empty() || seen.from >= period.end || seen.to < period.start {
                    break;
                }
                spans += 1;
                if spans > LINES_MAX {
                    return Err(TooMany);
                }
                let line = lines.entry((date, identity.product)).or_default();
                let is_new = period.contains(&seen.from);
                line.held.push(Held {
                    identity,
                    user: &seen.user,
                    from: seen.from.max(period.start),
                    to: seen.to.min(period.end),
                    used_count: if is_new { seen.used_count } else { 0 },
                });
                let Some(next) = question.next(date) else { break };
                date = next;
            }
        }
        if lines.len() > LINES_MAX { Err(TooMany) } else { Ok(lines) }
    }

    fn name(&mut self, product: ProductId, name: &str) {
        let known = self.names.entry(product).or_default();
        if known != name {
            name.clone_into(known);
        }
    }
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
        let users: BTreeSet<&str> = self.held.iter().map(|held| held.user).collect();
        // SQL sessions cannot be told apart, so each of their retentions counts as a session.
        let sessions = self.held.iter().map(|held| {
            let Identity { token, time, session, .. } = held.identity;
            match session {
                Some(session) => (Some(session), None),
                None => (None, Some((token, time))),
            }
        });
        let sessions: BTreeSet<_> = sessions.collect();
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
