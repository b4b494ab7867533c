//! Daily figures: an independent count of them from the entries alone, and what they promise.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, ToSpan, civil::Date, tz::Offset};
use license_core::{Entry, Event, Figure, Ledger, License, Stamp, Whom};
use license_types::{ProductDay, ProductId};

use crate::{
    histories::history,
    scripts::{self, core::CoreEngine, script::Step},
};

type Days = BTreeMap<(ProductId, i64), ProductDay>;

/// A product of the license, or one that is held without it: that has no rights.
#[derive(Clone, Default)]
struct Product {
    name: String,
    rights: Option<Vec<(u64, Option<Date>)>>,
    used: u64,
}

#[derive(Clone, Default)]
struct Figures {
    name: String,
    allowed: u64,
    peak: u64,
    peak_at: i64,
    left_nothing: u64,
    held: u64,
    retained: u64,
    refused: u64,
    sessions: BTreeSet<String>,
    others: u64,
    lasting: u64,
}

#[derive(Default)]
struct Count {
    products: BTreeMap<ProductId, Product>,
    expires: Option<Date>,
    days: BTreeMap<(ProductId, i64), Figures>,
    /// Sessions that still may be granted what they were refused, until when.
    hopes: BTreeMap<(ProductId, String), i64>,
    /// Who holds what.
    held: BTreeSet<(ProductId, String)>,
    now: i64,
    /// When the clock was set back last: then the day of that begins anew.
    anew: i64,
}

const DAY: i64 = 86_400_000;

const ALWAYS: std::ops::Range<Timestamp> = Timestamp::MIN..Timestamp::MAX;

impl Count {
    fn allowed(&self, product: &Product, day: i64) -> (u64, bool) {
        let day = Offset::UTC.to_datetime(Timestamp::from_millisecond(day).unwrap()).date();
        let Some(rights) = &product.rights else { return (0, false) };
        let valid = |date: &Option<Date>| date.is_none_or(|date| day <= date);
        let valid: Vec<u64> = rights
            .iter()
            .filter(|(_, date)| valid(date) && valid(&self.expires))
            .map(|(count, _)| *count)
            .collect();
        if valid.contains(&32767) {
            return (32767, false);
        }
        let expired = valid.is_empty() && (!rights.is_empty() || !valid_license(self.expires, day));
        (valid.iter().sum(), !expired && valid_license(self.expires, day))
    }

    /// When the day of an instant began.
    fn start(&self, at: i64) -> i64 {
        let day = midnight(at);
        if midnight(self.anew) == day { self.anew } else { day }
    }

    /// Forgets the days beyond `at`; what was counted in the last one goes on there.
    fn set_back(&mut self, at: i64) {
        self.lose_hope();
        let (now, start) = (self.now, self.start(self.now));
        self.hopes.values_mut().for_each(|until| *until -= now - at);
        let days = std::mem::take(&mut self.days);
        for ((id, day), mut figures) in days {
            if day == start {
                (figures.held, figures.left_nothing, figures.peak_at) = (0, 0, at);
                self.days.insert((id, at), figures);
            } else if midnight(day) <= at {
                self.days.insert((id, day), figures);
            }
        }
        (self.now, self.anew) = (at, at);
        for (id, product) in self.products.clone() {
            self.today(id).allowed = self.allowed(&product, midnight(at)).0;
        }
    }

    /// Lets the time pass until `to`, piece by piece of a day.
    fn pass(&mut self, to: i64) {
        while self.now < to {
            let day = self.start(self.now);
            let until = to.min(midnight(day) + DAY);
            for (id, product) in &self.products {
                let (allowed, limited) = self.allowed(product, day);
                let figures = self.days.entry((*id, day)).or_default();
                let passed = (until - self.now) as u64;
                figures.held += passed * product.used;
                figures.left_nothing += if limited && product.used >= allowed { passed } else { 0 };
            }
            self.now = until;
            for (id, product) in &self.products {
                let day = self.start(self.now);
                let (allowed, _) = self.allowed(product, day);
                let figures = self.days.entry((*id, day)).or_default();
                (figures.allowed, figures.name) = (allowed, product.name.clone());
                if product.used > figures.peak {
                    (figures.peak, figures.peak_at) = (product.used, self.now);
                }
            }
            self.lose_hope();
        }
    }

    fn lose_hope(&mut self) {
        let now = self.now;
        let lost: Vec<_> = self.hopes.extract_if(.., |_, until| *until <= now).collect();
        for ((product, _), until) in lost {
            // What is certain at midnight was so when the day ended.
            let instant = until - i64::from(until.rem_euclid(DAY) == 0);
            let day = self.start(instant);
            // What was gone when the day began has no figures.
            if let Some(figures) = self.days.get_mut(&(product, day)) {
                figures.lasting += 1;
            }
        }
    }

    fn today(&mut self, product: ProductId) -> &mut Figures {
        self.days.entry((product, self.start(self.now))).or_default()
    }

    fn entry(&mut self, entry: &Entry) {
        let time = entry.time.as_millisecond();
        match self.now {
            0 => self.now = time,
            now if time < midnight(now) => self.set_back(time),
            _ => self.pass(time),
        }
        match &entry.event {
            Event::Installed(installed) => self.install(&installed.license),
            Event::Retained(retained) => {
                let id = retained.product;
                let product = self.products.get_mut(&id).unwrap();
                product.used += 1;
                let (used, now) = (product.used, self.now);
                let figures = self.today(id);
                figures.retained += 1;
                if used > figures.peak {
                    (figures.peak, figures.peak_at) = (used, now);
                }
                self.hopes.remove(&(id, retained.session.to_string()));
                self.held.insert((id, retained.session.to_string()));
            }
            Event::Released(released) => {
                self.held.remove(&(released.product, released.session.to_string()));
                self.products.get_mut(&released.product).unwrap().used -= 1;
                self.products.retain(|_, product| product.used > 0 || product.rights.is_some());
            }
            Event::Refused(refused) if self.products.contains_key(&refused.product) => {
                let id = refused.product;
                self.today(id).refused += refused.times;
                match &refused.whom {
                    Whom::Others { sessions } => {
                        let figures = self.today(id);
                        figures.others = figures.others.max(*sessions);
                    }
                    Whom::Session { session, waited_seconds, .. } => {
                        self.today(id).sessions.insert(session.to_string());
                        let key = (id, session.to_string());
                        if waited_seconds.is_some() {
                            self.hopes.remove(&key);
                            self.today(id).lasting += 1;
                        } else if !self.held.contains(&key) {
                            let until = self.now + 300_000;
                            self.hopes.entry(key).or_insert(until);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn install(&mut self, license: &License) {
        let date = |date: &license_types::LicenseDate| date.to_date().unwrap();
        self.expires = license.info().expiration_date.as_ref().map(date);
        for product in self.products.values_mut() {
            product.rights = None;
        }
        for listed in &license.info().products {
            let product = self.products.entry(listed.id).or_default();
            let right = |right: &license_types::Right| {
                (right.count.get(), right.expiration_date.as_ref().map(date))
            };
            product.rights = Some(listed.rights.iter().map(right).collect());
            product.name.clone_from(&listed.name);
        }
        let day = midnight(self.now);
        for (id, product) in self.products.clone() {
            let (allowed, _) = self.allowed(&product, day);
            let figures = self.today(id);
            (figures.allowed, figures.name) = (allowed, product.name);
        }
        self.products.retain(|_, product| product.used > 0 || product.rights.is_some());
    }

    /// The days that are over, as reports show them.
    fn told(self, until: i64) -> Days {
        let told = self.days.into_iter().filter(|((_, day), it)| {
            *day < until && (it.peak > 0 || it.refused > 0 || it.lasting > 0)
        });
        let mut days: BTreeMap<(ProductId, i64), Figures> = BTreeMap::new();
        for ((id, start), more) in told {
            let Some(day) = days.get_mut(&(id, midnight(start))) else {
                days.insert((id, midnight(start)), more);
                continue;
            };
            if more.peak > day.peak {
                (day.peak, day.peak_at) = (more.peak, more.peak_at);
            }
            (day.name, day.allowed) = (more.name, more.allowed);
            day.left_nothing += more.left_nothing;
            day.held += more.held;
            day.retained += more.retained;
            day.refused += more.refused;
            day.others += more.others + more.sessions.len() as u64;
            day.lasting += more.lasting;
        }
        let day = |((id, start), it): ((ProductId, i64), Figures)| {
            let instant = |at: i64| Timestamp::from_millisecond(at).unwrap();
            let json = serde_json::json!({
                "date": instant(start).strftime("%F").to_string(),
                "productId": id,
                "productName": it.name,
                "allowedCount": it.allowed,
                "peakUsedCount": it.peak,
                "secondsWithNothingLeft": it.left_nothing.min(DAY as u64) / 1000,
                "heldSeconds": it.held.min(it.peak * DAY as u64) / 1000,
                "retained": it.retained,
                "refused": it.refused,
                "sessionsRefused": it.sessions.len() as u64 + it.others,
                "trueRefusals": it.lasting,
            });
            let mut day: ProductDay = serde_json::from_value(json).unwrap();
            day.peak_at = (it.peak > 0).then(|| instant(it.peak_at).into());
            ((id, start), day)
        };
        days.into_iter().map(day).collect()
    }
}

fn midnight(at: i64) -> i64 {
    at - at.rem_euclid(DAY)
}

fn valid_license(expires: Option<Date>, day: Date) -> bool {
    expires.is_none_or(|date| day <= date)
}

fn days(figures: impl IntoIterator<Item = Figure>) -> Days {
    let figures: Vec<Figure> = figures.into_iter().collect();
    let starts: BTreeSet<_> = figures.iter().map(|it| (it.product, it.start)).collect();
    assert_eq!(starts.len(), figures.len(), "a day is told twice");
    let key = |day: &ProductDay| {
        let start: Timestamp = format!("{}T00:00:00Z", day.date).parse().unwrap();
        (day.product_id, start.as_millisecond())
    };
    Figure::product_days(figures, &ALWAYS).into_iter().map(|day| (key(&day), day)).collect()
}

#[test]
fn figures_are_what_a_count_of_the_entries_gives() {
    let mut compared = 0;
    for seed in 0..24 {
        let log = history(seed, 800);
        let (mut ledger, mut count, mut told) = (Ledger::new(), Count::default(), Vec::new());
        for entry in &log {
            ledger.apply(entry).unwrap();
            if let Some(void) = entry.void_from() {
                told = told.into_iter().filter_map(|figure: Figure| figure.before(void)).collect();
            }
            told.extend(ledger.take_figures());
            count.entry(entry);
        }
        let until = count.now - count.now.rem_euclid(DAY);
        let (told, counted) = (days(told), count.told(until));
        for key in told.keys().chain(counted.keys()) {
            assert_eq!(told.get(key), counted.get(key), "seed {seed}, {key:?}");
        }
        compared += told.len();
    }
    assert!(compared > 500, "{compared} days were compared");
}

/// A ledger in which one of two licenses, one of which expires, was held since the start of 2026.
fn held(rights: &str) -> CoreEngine {
    let mut engine = CoreEngine::new();
    for line in [
        "at 2026-01-01T00:00:00Z",
        &format!("license 0009={rights}"),
        "retain --product 0009 --session S1",
    ] {
        scripts::answer(&mut engine, &Step::parse(line).unwrap());
    }
    engine
}

#[test]
fn what_is_held_over_days_without_entries_counts_on_each_of_them() {
    let mut ledger = held("1+1@2026-01-20").ledger().clone();
    let later = "2026-03-01T12:00:00Z".parse().unwrap();
    let entry = ledger.seal(Event::ClockCorrected, &Stamp::local(), later);
    ledger.apply(&entry).unwrap();
    let figures = ledger.take_figures();
    assert_eq!(figures.len(), 4, "the first day, those until the expiry, the next, and the rest");
    let days = days(figures);
    let dates = days.values().map(|day| day.date.to_string());
    let expected = (0..59).map(|day| (jiff::civil::date(2026, 1, 1) + day.days()).to_string());
    assert!(dates.eq(expected));
    for day in days.values() {
        let left = day.date.as_str() <= "2026-01-20";
        assert_eq!(day.held_seconds.get(), 86_400);
        assert_eq!(day.allowed_count.get(), if left { 2 } else { 1 });
        assert_eq!(day.seconds_with_nothing_left.get(), if left { 0 } else { 86_400 });
        assert_eq!(day.retained.get(), u64::from(day.date.as_str() == "2026-01-01"));
        assert_eq!(day.peak_at.as_ref().unwrap().as_str(), format!("{}T00:00:00.000Z", day.date));
    }
}

#[test]
fn an_entry_at_the_end_of_all_times_tells_few_figures() {
    let mut ledger = held("1").ledger().clone();
    let entry = ledger.seal(Event::ClockCorrected, &Stamp::local(), Timestamp::MAX);
    ledger.apply(&entry).unwrap();
    let figures = ledger.take_figures();
    assert_eq!(figures.len(), 2);
    let days = jiff::civil::date(2026, 1, 1).until(jiff::civil::date(9999, 12, 30)).unwrap();
    let told: u64 = figures.iter().map(|figure| figure.days).sum();
    assert_eq!(told, u64::try_from(days.get_days()).unwrap());
}

#[test]
fn figures_that_run_are_those_that_the_next_entry_makes_final() {
    for seed in 0..8 {
        let log = history(seed, 300);
        let mut ledger = Ledger::new();
        for entry in &log {
            let day = entry.time.as_millisecond() / DAY * DAY;
            let running = ledger.running_figures(entry.time);
            let over = running.into_iter().filter(|it| it.start.as_millisecond() < day);
            let over: Vec<_> = over.collect();
            ledger.apply(entry).unwrap();
            assert_eq!(ledger.take_figures(), over, "seed {seed}, entry {}", entry.sequence);
        }
    }
}

#[test]
fn who_reads_the_entries_of_others_has_no_figures_to_write() {
    let mut ledger = Ledger::new();
    for entry in history(1, 300) {
        ledger.replay(&entry).unwrap();
        assert_eq!(ledger.take_figures(), []);
    }
}

#[test]
fn an_entry_that_faults_ends_no_day() {
    let mut ledger = held("1").ledger().clone();
    let later = "2026-03-01T12:00:00Z".parse().unwrap();
    let moved = Event::Moved { sessions: vec![std::sync::Arc::new("nobody".parse().unwrap())] };
    let before = ledger.running_figures(later);
    let entry = ledger.seal(moved, &Stamp::local(), later);
    ledger.apply(&entry).unwrap_err();
    assert_eq!(ledger.take_figures(), []);
    assert_eq!(ledger.running_figures(later), before);
}
