//! An independent count of daily figures from the entries alone.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{
    Timestamp, Zoned,
    civil::Date,
    tz::{Offset, TimeZone},
};
use license_core::{Entry, Event, License, Whom};
use license_types::{ProductDay, ProductId};

/// The figures of each product and date.
pub(crate) type Days = BTreeMap<(ProductId, String), ProductDay>;

/// A product of the license, or one that is held without it: that has no rights.
#[derive(Clone, Default)]
struct Product {
    name: String,
    rights: Option<Vec<(u64, Option<Date>)>>,
    used: u64,
    /// Of those, what is counted.
    counted: u64,
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

/// A count of entries by the days of a time zone, of all sessions or of one.
pub(crate) struct Count {
    zone: TimeZone,
    wanted: Option<&'static str>,
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

pub(crate) const DAY: i64 = 86_400_000;

impl Count {
    pub(crate) fn new(zone: TimeZone, wanted: Option<&'static str>) -> Count {
        Count {
            zone,
            wanted,
            products: BTreeMap::new(),
            expires: None,
            days: BTreeMap::new(),
            hopes: BTreeMap::new(),
            held: BTreeSet::new(),
            now: 0,
            anew: 0,
        }
    }

    fn counts(&self, session: &str) -> bool {
        self.wanted.is_none_or(|wanted| wanted == session)
    }

    fn zoned(&self, at: i64) -> Zoned {
        Timestamp::from_millisecond(at).unwrap().to_zoned(self.zone.clone())
    }

    fn midnight(&self, at: i64) -> i64 {
        self.zoned(at).start_of_day().unwrap().timestamp().as_millisecond()
    }

    /// When the day after begins.
    fn next(&self, at: i64) -> i64 {
        let next = self.zoned(at).tomorrow().unwrap().start_of_day().unwrap();
        next.timestamp().as_millisecond()
    }

    fn allowed(&self, product: &Product, at: i64) -> (u64, bool) {
        let day = Offset::UTC.to_datetime(Timestamp::from_millisecond(at).unwrap()).date();
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
        let day = self.midnight(at);
        if self.midnight(self.anew) == day { self.anew } else { day }
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
            } else if self.midnight(day) <= at {
                self.days.insert((id, day), figures);
            }
        }
        (self.now, self.anew) = (at, at);
        for (id, product) in self.products.clone() {
            self.today(id).allowed = self.allowed(&product, at).0;
        }
    }

    /// Lets the time pass until `to`, piece by piece of a day.
    fn pass(&mut self, to: i64) {
        while self.now < to {
            let day = self.start(self.now);
            // Rights end with a day in UTC.
            let expiry = self.now - self.now.rem_euclid(DAY) + DAY;
            let until = to.min(self.next(self.now)).min(expiry);
            for (id, product) in &self.products {
                let (allowed, limited) = self.allowed(product, self.now);
                let figures = self.days.entry((*id, day)).or_default();
                let passed = (until - self.now) as u64;
                figures.held += passed * product.counted;
                figures.left_nothing += if limited && product.used >= allowed { passed } else { 0 };
            }
            self.now = until;
            for (id, product) in &self.products {
                let day = self.start(self.now);
                let (allowed, _) = self.allowed(product, self.now);
                let figures = self.days.entry((*id, day)).or_default();
                (figures.allowed, figures.name) = (allowed, product.name.clone());
                if product.counted > figures.peak {
                    (figures.peak, figures.peak_at) = (product.counted, self.now);
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
            let instant = until - i64::from(self.midnight(until) == until);
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

    pub(crate) fn entry(&mut self, entry: &Entry) {
        let time = entry.time.as_millisecond();
        match self.now {
            0 => self.now = time,
            now if time < self.midnight(now) => self.set_back(time),
            _ => self.pass(time),
        }
        match &entry.event {
            Event::Installed(installed) => self.install(&installed.license),
            Event::Uninstalled { .. } => {
                for (id, product) in std::mem::take(&mut self.products) {
                    let figures = self.today(id);
                    (figures.allowed, figures.name) = (0, product.name);
                }
            }
            Event::Retained(retained) => {
                let id = retained.product;
                let counts = self.counts(retained.session.as_str());
                let product = self.products.get_mut(&id).unwrap();
                product.used += 1;
                product.counted += u64::from(counts);
                let (counted, now) = (product.counted, self.now);
                let figures = self.today(id);
                figures.retained += u64::from(counts);
                if counted > figures.peak {
                    (figures.peak, figures.peak_at) = (counted, now);
                }
                self.hopes.remove(&(id, retained.session.to_string()));
                self.held.insert((id, retained.session.to_string()));
            }
            Event::Released(released) => {
                self.held.remove(&(released.product, released.session.to_string()));
                let counts = self.counts(released.session.as_str());
                let product = self.products.get_mut(&released.product).unwrap();
                product.used -= 1;
                product.counted -= u64::from(counts);
                self.products.retain(|_, product| product.used > 0 || product.rights.is_some());
            }
            Event::Refused(refused)
                if self.products.contains_key(&refused.product)
                    && self.counts_whom(&refused.whom) =>
            {
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
        for (id, product) in self.products.clone() {
            let (allowed, _) = self.allowed(&product, self.now);
            let figures = self.today(id);
            (figures.allowed, figures.name) = (allowed, product.name);
        }
        self.products.retain(|_, product| product.used > 0 || product.rights.is_some());
    }

    fn counts_whom(&self, whom: &Whom) -> bool {
        match whom {
            Whom::Session { session, .. } => self.counts(session.as_str()),
            Whom::Others { .. } => self.wanted.is_none(),
        }
    }

    /// The days that are over, as reports show them.
    pub(crate) fn told(&self) -> Days {
        let until = self.midnight(self.now);
        let told = self.days.clone().into_iter().filter(|((_, day), it)| {
            *day < until && (it.peak > 0 || it.refused > 0 || it.lasting > 0)
        });
        let mut days: BTreeMap<(ProductId, i64), Figures> = BTreeMap::new();
        for ((id, start), more) in told {
            let Some(day) = days.get_mut(&(id, self.midnight(start))) else {
                days.insert((id, self.midnight(start)), more);
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
            let length = (self.next(start) - start) as u64;
            let json = serde_json::json!({
                "date": self.zoned(start).date().to_string(),
                "productId": id,
                "productName": it.name,
                "allowedCount": it.allowed,
                "peakUsedCount": it.peak,
                "secondsWithNothingLeft": it.left_nothing.min(length) / 1000,
                "heldSeconds": it.held.min(it.peak * length) / 1000,
                "retained": it.retained,
                "refused": it.refused,
                "sessionsRefused": it.sessions.len() as u64 + it.others,
                "trueRefusals": it.lasting,
            });
            let mut day: ProductDay = serde_json::from_value(json).unwrap();
            day.peak_at = (it.peak > 0).then(|| self.zoned(it.peak_at).timestamp().into());
            day
        };
        by_date(days.into_iter().map(day))
    }
}

/// The figures under their products and dates.
pub(crate) fn by_date(days: impl IntoIterator<Item = ProductDay>) -> Days {
    let key = |day: &ProductDay| (day.product_id, day.date.to_string());
    days.into_iter().map(|day| (key(&day), day)).collect()
}

fn valid_license(expires: Option<Date>, day: Date) -> bool {
    expires.is_none_or(|date| day <= date)
}
