//! Figures for Prometheus: what is allowed and used, what was refused, and how requests fare.
//!
//! Labels are bounded: licenses and products that are installed, codes, routes and statuses of the
//! table. No user, session or address is among them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use license_pool::{Alarms, Commits};
use license_types::{LicenseInfo, LicensedProduct, ProblemCode, ProductId};

use crate::operation::Operation;

/// The statuses that the table promises, and 0 for any other.
const STATUSES: [u16; 15] =
    [200, 201, 400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 500, 503, 0];

/// Upper ends of the buckets of times, in milliseconds.
const BUCKETS: [u64; 10] = [1, 2, 5, 10, 25, 50, 100, 500, 1_000, 10_000];

/// How many routes there are: those of the table, and one for requests that ask for none of them.
const ROUTES: usize = Operation::ALL.len() + 1;

/// The method and the path template of a route.
fn route(at: usize) -> (&'static str, &'static str) {
    let operation = Operation::ALL.get(at);
    operation.map_or(("other", "other"), |operation| (operation.method(), operation.path()))
}

/// What was counted since the server started.
#[derive(Debug)]
pub(crate) struct Counters {
    answers: [[AtomicU64; STATUSES.len()]; ROUTES],
    /// How many requests fell into each bucket: longer than the one before, and no longer than its end.
    times: [[AtomicU64; BUCKETS.len() + 1]; ROUTES],
    microseconds: [AtomicU64; ROUTES],
    /// By product, if that is counted on its own, and code.
    refusals: Mutex<BTreeMap<(Option<ProductId>, ProblemCode), u64>>,
    /// Requests that wait for a license.
    pub(crate) waiting: AtomicU64,
}

/// How many pairs of product and code are counted each on its own; of any further product, refusals
/// count as those of other products.
const REFUSALS_MAX: usize = 1000;

impl Counters {
    pub(crate) fn new() -> Counters {
        Counters {
            answers: std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0))),
            times: std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0))),
            microseconds: std::array::from_fn(|_| AtomicU64::new(0)),
            refusals: Mutex::default(),
            waiting: AtomicU64::new(0),
        }
    }

    /// Counts an answer; `operation` is none if the request asked for none.
    pub(crate) fn answered(&self, operation: Option<Operation>, status: u16, time: Duration) {
        let at = operation.map_or(ROUTES - 1, |operation| operation as usize);
        let status = STATUSES.iter().position(|known| *known == status);
        self.answers[at][status.unwrap_or(STATUSES.len() - 1)].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.iter().position(|end| micros <= end * 1000);
        self.times[at][bucket.unwrap_or(BUCKETS.len())].fetch_add(1, Ordering::Relaxed);
        self.microseconds[at].fetch_add(micros, Ordering::Relaxed);
    }

    /// Counts a refused retain. All products that are not installed count as one, so that made-up
    /// products cannot create labels.
    pub(crate) fn refused(&self, product: ProductId, code: ProblemCode) {
        let product = (code != ProblemCode::UnknownProduct).then_some(product);
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let is_counted = refusals.len() < REFUSALS_MAX || refusals.contains_key(&(product, code));
        let product = product.filter(|_| is_counted);
        *refusals.entry((product, code)).or_default() += 1;
    }

    /// Writes what was counted. For each of `products` there is a count of refusals, even if it is 0.
    pub(crate) fn write(&self, products: impl Iterator<Item = ProductId>, page: &mut Page) {
        for at in 0..ROUTES {
            let (method, route) = route(at);
            for (status, count) in STATUSES.iter().zip(&self.answers[at]) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let status = status.to_string();
                    let labels = [("method", method), ("route", route), ("status", &*status)];
                    page.sample(&REQUESTS, "", &labels, count as f64);
                }
            }
        }
        for at in 0..ROUTES {
            let mut count = 0;
            let mut up_to = |times: &AtomicU64| {
                count += times.load(Ordering::Relaxed);
                count as f64
            };
            let ends = BUCKETS.iter().map(|end| *end as f64 / 1000.0);
            let buckets: Vec<(f64, f64)> =
                ends.zip(self.times[at].iter().map(&mut up_to)).collect();
            let count = up_to(&self.times[at][BUCKETS.len()]);
            if count > 0.0 {
                let (method, route) = route(at);
                let labels = [("method", method), ("route", route)];
                let sum = self.microseconds[at].load(Ordering::Relaxed) as f64 / 1e6;
                page.histogram(&SECONDS, &labels, &buckets, count, sum);
            }
        }
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Prometheus sees a counter rise only if it was there before, so each starts at 0.
        let none = products.map(|product| ((Some(product), ProblemCode::NoLicenseLeft), 0));
        let refusals: BTreeMap<_, _> = none.chain(refusals).collect();
        for ((product, code), count) in refusals {
            let product = product.map_or("other".to_owned(), |product| product.to_string());
            let labels = [("product", &*product), ("code", code.as_str())];
            page.sample(&REFUSALS, "", &labels, count as f64);
        }
        page.sample(&WAITING, "", &[], self.waiting.load(Ordering::Relaxed) as f64);
    }
}

/// A figure: its name, kind and meaning.
pub(crate) struct Figure {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
}

const fn figure(name: &'static str, kind: &'static str, help: &'static str) -> Figure {
    Figure { name, kind, help }
}

const ALLOWED: Figure =
    figure("license_product_allowed", "gauge", "Licenses allowed now; 32767 where unlimited");
const USED: Figure = figure("license_product_used", "gauge", "Licenses in use, over all servers");
const BALANCE: Figure = figure("license_product_balance", "gauge", "Licenses still free");
const PEAK: Figure =
    figure("license_product_peak", "gauge", "The most licenses in use at once today (UTC)");
const EXPIRATION: Figure = figure(
    "license_product_expiration_seconds",
    "gauge",
    "Seconds until the next of the rights that count expires; 0 once all have",
);
const RENEWAL_FAILURES: Figure = figure(
    "license_renewal_failures",
    "gauge",
    "Automatic renewals of the license that failed, as its document says",
);
const REFUSALS: Figure = figure(
    "license_refusals_total",
    "counter",
    "Licenses that this server refused, by product and code",
);
const WAITING: Figure =
    figure("license_waiting", "gauge", "Requests that wait for a license at this server");
const REQUESTS: Figure =
    figure("license_http_requests_total", "counter", "Requests answered, by route and status");
const SECONDS: Figure =
    figure("license_http_request_seconds", "histogram", "Time to answer a request");

const COMMIT_ENTRIES: Figure =
    figure("license_commit_entries", "histogram", "Entries that this server made durable at once");
const COMMIT_SECONDS: Figure = figure(
    "license_commit_seconds",
    "histogram",
    "Time until what this server decided was durable in the store",
);

const WENT_BACK: Figure = figure(
    "license_store_went_back_total",
    "counter",
    "How often this server found that the store of a license went back in time",
);

/// The text that is shown to Prometheus.
#[derive(Default)]
pub(crate) struct Page {
    text: String,
    last: &'static str,
}

impl Page {
    /// Adds a sample. All samples of one figure must be added in a row, as the format demands.
    fn sample(&mut self, figure: &Figure, suffix: &str, labels: &[(&str, &str)], value: f64) {
        let Figure { name, kind, help } = figure;
        if self.last != *name {
            let _ = write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
            self.last = name;
        }
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = labels.join(",");
        let braces = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(self.text, "{name}{suffix}{braces} {value}");
    }

    /// Adds a histogram: the ends of its buckets, and how many values did not go beyond each.
    fn histogram(
        &mut self,
        figure: &Figure,
        labels: &[(&str, &str)],
        buckets: &[(f64, f64)],
        count: f64,
        sum: f64,
    ) {
        let ends = buckets.iter().map(|(end, count)| (end.to_string(), *count));
        for (end, count) in ends.chain([("+Inf".to_owned(), count)]) {
            let labels = [labels, &[("le", &*end)]].concat();
            self.sample(figure, "_bucket", &labels, count);
        }
        self.sample(figure, "_sum", labels, sum);
        self.sample(figure, "_count", labels, count);
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// One license as it is, with the peaks of today.
pub(crate) struct Seen {
    pub(crate) info: LicenseInfo,
    pub(crate) peaks: BTreeMap<ProductId, u64>,
}

/// What every license allows and what is in use.
pub(crate) fn licenses(seen: &[Seen], now: Timestamp, page: &mut Page) {
    let of_products: [(&Figure, Value); 5] = [
        (&ALLOWED, |_, product, _| Some(product.allowed_count.get() as f64)),
        (&USED, |_, product, _| Some(product.used_count.get() as f64)),
        (&BALANCE, |_, product, _| Some(balance(product))),
        (&PEAK, |seen, product, _| {
            let peak = seen.peaks.get(&product.id).copied().unwrap_or_default();
            Some(peak.max(product.used_count.get()) as f64)
        }),
        (&EXPIRATION, |seen, product, now| expiration(&seen.info, product, now)),
    ];
    for (figure, value) in of_products {
        for seen in seen {
            for product in &seen.info.products {
                if let Some(value) = value(seen, product, now) {
                    let labels = [
                        ("license", seen.info.license_number.as_str()),
                        ("product", &product.id.to_string()),
                        ("name", &product.name),
                    ];
                    page.sample(figure, "", &labels, value);
                }
            }
        }
    }
    for Seen { info, .. } in seen {
        let failures = info.renewal_failure_count.map_or(0, |failures| failures.get());
        let labels = [("license", info.license_number.as_str())];
        page.sample(&RENEWAL_FAILURES, "", &labels, failures as f64);
    }
}

/// The alarms of this server.
pub(crate) fn alarms(alarms: &Alarms, page: &mut Page) {
    page.sample(&WENT_BACK, "", &[], alarms.went_back as f64);
}

/// The sizes and times of this server's commits.
pub(crate) fn commits(commits: &Commits, page: &mut Page) {
    let Commits { entries, microseconds } = commits;
    for (figure, histogram, unit) in
        [(&COMMIT_ENTRIES, entries, 1.0), (&COMMIT_SECONDS, microseconds, 1e6)]
    {
        let buckets = histogram.buckets().map(|(end, count)| (end as f64 / unit, count as f64));
        let buckets: Vec<(f64, f64)> = buckets.collect();
        let (count, sum) = (histogram.count() as f64, histogram.sum() as f64 / unit);
        page.histogram(figure, &[], &buckets, count, sum);
    }
}

type Value = fn(&Seen, &LicensedProduct, Timestamp) -> Option<f64>;

/// The count that stands for an unlimited right.
const UNLIMITED: u64 = license_types::RightCount::UNLIMITED.get();

fn balance(product: &LicensedProduct) -> f64 {
    let allowed = product.allowed_count.get();
    if allowed == UNLIMITED {
        return UNLIMITED as f64;
    }
    allowed.saturating_sub(product.used_count.get()) as f64
}

/// Seconds until the next right that counts expires; 0 once all have, and none if none ever does.
fn expiration(info: &LicenseInfo, product: &LicensedProduct, now: Timestamp) -> Option<f64> {
    let own = product.rights.iter().filter_map(|right| right.expiration_date.as_ref());
    let dates = own.chain(info.expiration_date.as_ref());
    let ends: Vec<Timestamp> = dates.filter_map(|date| end_of(date.to_date()?)).collect();
    let next = ends.iter().filter(|end| **end > now).min();
    let next = next.map(|end| end.duration_since(now).as_secs_f64());
    let has_expired = product.allowed_count.get() == 0 && !ends.is_empty();
    if has_expired { Some(0.0) } else { next }
}

/// The first instant after a day, in UTC.
fn end_of(day: Date) -> Option<Timestamp> {
    Some(day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// A label's value, escaped as the format demands; control characters are replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => escaped.push_str("\\\\"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str("\\n"),
            _ if letter.is_control() => escaped.push('\u{fffd}'),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_more_products_than_have_labels_are_counted_together() {
        let counters = Counters::new();
        let products = (1..).map(|number| ProductId::new(number).unwrap());
        let products: Vec<ProductId> = products.take(REFUSALS_MAX + 2).collect();
        for product in &products {
            counters.refused(*product, ProblemCode::NoLicenseLeft);
        }
        counters.refused(products[0], ProblemCode::NoLicenseLeft);
        let refusals = counters.refusals.lock().unwrap();
        assert_eq!(refusals[&(Some(products[0]), ProblemCode::NoLicenseLeft)], 2);
        assert_eq!(refusals[&(None, ProblemCode::NoLicenseLeft)], 2);
        assert_eq!(refusals.values().sum::<u64>(), 1003);
    }
}
