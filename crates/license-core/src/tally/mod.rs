//! Figures that are not kept: for the days of another time zone, or for what one user or session held
//! and was refused. They are computed from the entries of a log, by the same rules as those that are
//! kept.
//!
//! Unlike a ledger a tally checks nothing, so it can also begin where the first entries of a log are
//! deleted. Of the time before it knows only what [`begin`](Tally::begin) is told.

mod calendar;
mod part;

pub use part::{HeldBefore, Part, Told, Whose};

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use jiff::{Timestamp, tz::TimeZone};
use license_types::{ProductId, RefusalCode, SessionId, Token};

use self::calendar::{date, day_of};
use crate::{
    Breach, Entry, Event, Fault, Figure, Installed, Ledger, License, Refused, Released, Whom,
    day::PATIENCE,
    figure::{DAY, Running, midnight, timestamp},
    ledger::Product,
    rights::Allowance,
};

/// Counts the entries of a log, from the first to the last.
///
/// ```
/// use license_core::{Event, Installed, Ledger, License, Part, SAMPLE_LICENSE, Stamp, Tally};
/// use jiff::{Timestamp, tz::TimeZone};
///
/// let now = "2026-01-05T10:00:00Z".parse()?;
/// let license = License::parse(SAMPLE_LICENSE.as_bytes())?.into();
/// let installed = Installed { license, replaced_number: None, signed: false };
/// let entry = Ledger::new().seal(Event::Installed(installed), &Stamp::local(), now);
///
/// let always = Timestamp::MIN..Timestamp::MAX;
/// let mut tally = Tally::new(Part::default(), TimeZone::UTC, always);
/// tally.count(&entry)?;
/// assert_eq!(tally.told(now).days, [], "nothing was retained or refused");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Tally {
    part: Part,
    /// If only a part is counted, a tally of everything as well: what was allowed, and when nothing was
    /// left, concerns all.
    of_all: Option<Box<Tally>>,
    zone: TimeZone,
    within: Range<i64>,
    /// The products, the license and the day, as a ledger has them. What is held is followed here.
    ledger: Ledger,
    /// Since when each token is held, and whether it counts.
    held: BTreeMap<Token, (i64, Whose)>,
    /// Which sessions hold which products.
    holders: BTreeSet<(ProductId, Arc<SessionId>)>,
    today: Range<i64>,
    /// When rights may expire next: at each midnight in UTC, whatever the zone.
    expiry: i64,
    /// The day of each figure, and the figure: one for each time at which a day began.
    figures: BTreeMap<(Timestamp, ProductId), (Range<i64>, Figure)>,
    /// From when on it is known what was held.
    holds_known: i64,
    /// From when on it is known which rights there were.
    rights_known: i64,
    unknown_retentions: u64,
    /// By the time at which the day began.
    unknown_refusals: BTreeMap<i64, u64>,
}

/// A time that never comes.
const NEVER: i64 = i64::MAX;

impl Tally {
    /// Counts a part of a log, by the days of a time zone, and tells those that begin or end in
    /// `within`.
    pub fn new(part: Part, zone: TimeZone, within: Range<Timestamp>) -> Tally {
        let first = day_of(&zone, within.start.as_millisecond()).start;
        let last = day_of(&zone, within.end.as_millisecond() - 1);
        let of_all = part.is_of_some().then(|| {
            let all = Part { product: part.product, ..Part::default() };
            Box::new(Tally::new(all, zone.clone(), within.clone()))
        });
        Tally {
            part,
            of_all,
            zone,
            within: first..last.end,
            ledger: Ledger::new(),
            held: BTreeMap::new(),
            holders: BTreeSet::new(),
            today: NEVER..NEVER,
            expiry: NEVER,
            figures: BTreeMap::new(),
            holds_known: i64::MIN,
            rights_known: i64::MIN,
            unknown_retentions: 0,
            unknown_refusals: BTreeMap::new(),
        }
    }

    /// Begins with what was held before `first`, the first entry that the log still has, and with the
    /// license that was in force, if that is known.
    ///
    /// # Errors
    /// [`Fault`] where the license cannot be in force then.
    pub fn begin(
        &mut self,
        first: &Entry,
        held: &[HeldBefore],
        license: Option<Arc<License>>,
    ) -> Result<(), Fault> {
        if let Some(of_all) = &mut self.of_all {
            of_all.begin(first, held, license.clone())?;
        }
        let at = first.time.as_millisecond();
        self.pass(at);
        // Of a session that was refused before, nobody knows whether it went without.
        self.holds_known = day_of(&self.zone, at.saturating_add(PATIENCE)).end;
        match license {
            Some(license) => {
                let installed = Installed { license, replaced_number: None, signed: false };
                let begun = self.ledger.installed(&installed, first.time, at);
                begun.map_err(|breach| Fault::new(first.sequence, breach))?;
            }
            None => self.rights_known = NEVER,
        }
        for HeldBefore { token, product, product_name, session, whose } in held {
            if self.is_counted(*product) {
                self.hold(*token, *product, product_name, at, *whose);
                self.holders.extend(session.clone().map(|session| (*product, session)));
            }
        }
        Ok(())
    }

    /// Counts the next entry.
    ///
    /// # Errors
    /// [`Fault`] where it does not follow from those before.
    pub fn count(&mut self, entry: &Entry) -> Result<(), Fault> {
        if let Some(of_all) = &mut self.of_all {
            of_all.count(entry)?;
        }
        let time = entry.time.as_millisecond();
        let at = time.max(self.ledger.day.now);
        self.pass(at);
        self.follow(entry, at).map_err(|breach| Fault::new(entry.sequence, breach))?;
        self.ledger.day.now = at;
        if time < self.today.start {
            self.set_back(time);
        }
        Ok(())
    }

    /// The figures, those of the day that runs as of `now`.
    pub fn told(mut self, now: Timestamp) -> Told {
        let at = now.as_millisecond().max(self.ledger.day.now);
        if self.ledger.day.start.is_some() {
            self.pass(at);
            self.finish(at);
        }
        for (since, whose) in std::mem::take(&mut self.held).into_values() {
            self.forget(since, NEVER, whose);
        }
        // What was allowed on days in UTC is kept.
        let rights_known = if self.zone == TimeZone::UTC { i64::MIN } else { self.rights_known };
        let since = self.holds_known.max(rights_known);
        let mut days: BTreeMap<(i64, ProductId), (Range<i64>, Figure)> = BTreeMap::new();
        for (day, figure) in std::mem::take(&mut self.figures).into_values() {
            if day.start >= since {
                days.entry((day.start, figure.product))
                    .and_modify(|(_, told)| told.add(figure.clone()))
                    .or_insert((day, figure));
            }
        }
        let product_day = |(day, figure): (Range<i64>, Figure)| {
            figure.into_product_day(date(&self.zone, day.start), day.end.abs_diff(day.start))
        };
        let mut told = Told {
            days: days.into_values().map(product_day).collect(),
            since: (since > i64::MIN).then(|| timestamp(since)),
            unknown_retentions: self.unknown_retentions,
            unknown_refusals: self.unknown_refusals.range(since..).map(|(_, times)| times).sum(),
        };
        if let Some(of_all) = self.of_all {
            told.allow(of_all.told(now).days);
        }
        told
    }

    fn follow(&mut self, entry: &Entry, at: i64) -> Result<(), Breach> {
        match &entry.event {
            Event::Installed(installed) => {
                self.ledger.installed(installed, entry.time, at)?;
                self.know_rights();
            }
            Event::Uninstalled { number } => {
                match self.ledger.license {
                    Some(_) => self.ledger.uninstalled(number, at)?,
                    None => self.ledger.without_license(at),
                }
                self.know_rights();
            }
            Event::Retained(retained) if self.is_counted(retained.product) => {
                let whose = self.part.whose_identity(&retained.session, &retained.identity);
                let (token, product) = (retained.token, retained.product);
                self.hold(token, product, &retained.product_name, at, whose);
                self.ledger.day.granted(at, product, &retained.session);
                self.holders.insert((product, retained.session.clone()));
            }
            Event::Released(released) if self.is_counted(released.product) => {
                self.release(released, at)?;
            }
            Event::Refused(refused) if self.is_counted(refused.product) => self.refuse(refused, at),
            Event::Retained(_)
            | Event::Released(_)
            | Event::Refused(_)
            | Event::StateChanged { .. }
            | Event::Described { .. }
            | Event::Moved { .. }
            | Event::Adopted { .. }
            | Event::ClockCorrected => {}
        }
        Ok(())
    }

    fn is_counted(&self, product: ProductId) -> bool {
        self.part.product.is_none_or(|wanted| wanted == product)
    }

    /// From the next day on it is known what is allowed.
    fn know_rights(&mut self) {
        if self.rights_known == NEVER {
            self.rights_known = self.today.end;
        }
    }

    fn hold(&mut self, token: Token, id: ProductId, name: &Arc<str>, at: i64, whose: Whose) {
        let whose = if self.of_all.is_some() { whose } else { Whose::Counted };
        self.held.insert(token, (at, whose));
        if whose == Whose::Counted {
            let product = self.listed(id, name, at);
            product.running.pass(at, product.used);
            product.used += 1;
            product.running.retain(at, product.used);
        }
    }

    fn release(&mut self, released: &Released, at: i64) -> Result<(), Breach> {
        let not_held = Breach::NotHeld { token: released.token };
        let id = released.product;
        let Some((since, whose)) = self.held.remove(&released.token) else { return Err(not_held) };
        self.holders.remove(&(id, released.session.clone()));
        self.forget(since, at, whose);
        if whose != Whose::Counted {
            return Ok(());
        }
        let Some(product) = self.ledger.products.get_mut(&id) else { return Err(not_held) };
        product.running.pass(at, product.used);
        product.used = product.used.saturating_sub(1);
        if product.used == 0
            && product.rights.is_none()
            && let Some(gone) = self.ledger.products.remove(&id)
        {
            self.ledger.day.gone.insert(id, (gone.name, gone.running));
            self.ledger.order.retain(|listed| *listed != id);
        }
        Ok(())
    }

    fn refuse(&mut self, refused: &Refused, at: i64) {
        let id = refused.product;
        if !self.is_listed(refused) {
            return;
        }
        let (whose, holds) = match &refused.whom {
            Whom::Session { session, identity, .. } => {
                let holds = self.holders.contains(&(id, session.clone()));
                (self.part.whose_identity(session, identity), holds)
            }
            Whom::Others { .. } if self.of_all.is_some() => (Whose::Unknown, false),
            Whom::Others { .. } => (Whose::Counted, false),
        };
        match whose {
            Whose::Counted => {
                self.listed(id, &Arc::from(""), at);
                self.ledger.day.refused(at, refused, holds);
            }
            Whose::Others => {}
            Whose::Unknown if self.is_asked(at..at + 1) => {
                let times = self.unknown_refusals.entry(self.begun()).or_default();
                *times = times.saturating_add(refused.times);
            }
            Whose::Unknown => {}
        }
    }

    /// Whether a license listed the product, or somebody held it.
    fn is_listed(&self, refused: &Refused) -> bool {
        let all = self.of_all.as_deref().unwrap_or(self);
        match all.ledger.products.get(&refused.product) {
            Some(product) if product.used > 0 => true,
            // By a license that nobody knows.
            _ if all.rights_known == NEVER => refused.code != RefusalCode::UnknownProduct,
            product => product.is_some(),
        }
    }

    /// The product, which may be one that is held or refused by a license that nobody knows.
    fn listed(&mut self, id: ProductId, name: &Arc<str>, at: i64) -> &mut Product {
        let Ledger { products, order, day, .. } = &mut self.ledger;
        products.entry(id).or_insert_with(|| {
            order.push(id);
            let gone = day.gone.remove(&id).map(|(_, running)| running);
            let running = gone.unwrap_or_else(|| Running::begin(at, 0, None));
            Product {
                name: name.clone(),
                rights: None,
                used: 0,
                used_by: Default::default(),
                running,
            }
        })
    }

    /// Notes what was held of which nobody knows whose it was.
    fn forget(&mut self, since: i64, until: i64, whose: Whose) {
        if whose == Whose::Unknown && self.is_asked(since..until) {
            self.unknown_retentions += 1;
        }
    }

    /// Whether any of the days that are told has a part of this time.
    fn is_asked(&self, time: Range<i64>) -> bool {
        let from = self.within.start.max(self.holds_known);
        time.start < self.within.end && from < time.end
    }

    /// Lets the time pass until `at`, from one midnight to the next.
    fn pass(&mut self, at: i64) {
        if self.ledger.day.start.is_none() {
            self.begin_day(at);
        }
        loop {
            let next = self.today.end.min(self.expiry);
            if at < next {
                return;
            }
            if next == self.today.end {
                self.finish(next);
                self.begin_day(next);
                continue;
            }
            self.expiry = next + DAY;
            let expires = self.ledger.license.as_deref().and_then(|license| license.expires);
            for product in self.ledger.products.values_mut() {
                product.running.pass(next, product.used);
                let rights = product.rights.as_deref();
                let allowance = rights.map(|it| Allowance::of(it, expires, timestamp(next)));
                product.running.allow(allowance);
            }
        }
    }

    fn begin_day(&mut self, at: i64) {
        self.today = day_of(&self.zone, at);
        self.expiry = midnight(self.today.start) + DAY;
        self.ledger.books().begin(self.today.start);
    }

    /// Ends the day at `end`, and keeps what is to be told of it.
    fn finish(&mut self, end: i64) {
        self.ledger.books().finish(end);
        let figures = self.ledger.take_figures();
        if self.today.start < self.within.end && self.within.start < self.today.end {
            let day = &self.today;
            let figures = figures.into_iter();
            self.figures.extend(figures.map(|it| ((it.start, it.product), (day.clone(), it))));
        }
    }

    /// When the day that runs began: at its midnight, or when the clock was set back to it.
    fn begun(&self) -> i64 {
        self.ledger.day.start.unwrap_or(self.today.start)
    }

    /// The clock was set back to `at`, in an earlier day.
    fn set_back(&mut self, at: i64) {
        // As what else was counted since the day that runs began, these count for the earlier one.
        let running = self.unknown_refusals.remove(&self.begun());
        self.ledger.books().set_back(at);
        self.today = day_of(&self.zone, at);
        self.expiry = midnight(at) + DAY;
        let Range { end, .. } = self.today;
        self.figures.retain(|_, (day, _)| day.start < end);
        self.unknown_refusals.retain(|day, _| *day < end);
        if let Some(times) = running {
            self.unknown_refusals.insert(at, times);
        }
        // What is told of the next day on is in the entries that follow.
        self.holds_known = self.holds_known.min(end);
        if self.rights_known != NEVER {
            self.rights_known = self.rights_known.min(end);
        }
    }
}
