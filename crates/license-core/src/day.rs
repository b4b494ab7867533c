//! The current day of a ledger, by the times of its entries: what was refused in it, and how its
//! figures are made when it ends.
//!
//! Within a day the clock of the figures never steps back, even if an entry does, so that no time
//! counts twice. If an entry steps back to an earlier day, the figures of later days are void and that
//! day goes on.
//!
//! A refusal counts as *true* once the session went without the license for [`PATIENCE`]. Until then
//! the session has *hope*: if it is granted the license in time, the refusal is forgotten.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use license_types::{ProductId, SessionId};
use serde::{Deserialize, Serialize};

use crate::{
    Figure, Ledger, License, Refusals, Whom,
    figure::{DAY, Running, midnight, timestamp},
    ledger::Product,
    rights::Allowance,
};

/// How many milliseconds a session must go without a license before its refusal is a true one.
pub(crate) const PATIENCE: i64 = 5 * 60 * 1000;

/// How many refused sessions are remembered, since a ledger must not grow with what it refuses.
/// Beyond that, a session that was refused before counts again as another one, and the oldest hope is
/// given up at once.
const REMEMBERED: usize = 4096;

type Key = (ProductId, Arc<SessionId>);

#[derive(Clone, Debug)]
pub(crate) struct Day {
    /// The time of the last entry, in milliseconds of the epoch, or the latest one of the day.
    pub(crate) now: i64,
    /// When the day began: at midnight, or at the time to which the clock was set back; none before
    /// the first entry.
    pub(crate) start: Option<i64>,
    pub(crate) refused: BTreeMap<ProductId, Refused>,
    /// The sessions that were refused in the day.
    pub(crate) sessions: BTreeSet<Key>,
    /// Until when each refused session has hope.
    pub(crate) hopes: BTreeMap<Key, i64>,
    /// The same in the order of time.
    pub(crate) queue: BTreeSet<(i64, Key)>,
    /// Products that went from the ledger since the day began.
    pub(crate) gone: BTreeMap<ProductId, (Arc<str>, Running)>,
    /// The figures of the days that the last entry ended.
    pub(crate) finished: Vec<Figure>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Refused {
    pub(crate) times: u64,
    pub(crate) sessions: u64,
    /// The most sessions for which one entry stands.
    pub(crate) others: u64,
    pub(crate) lasting: u64,
}

impl Day {
    pub(crate) fn new() -> Day {
        Day {
            now: i64::MIN,
            start: None,
            refused: BTreeMap::new(),
            sessions: BTreeSet::new(),
            hopes: BTreeMap::new(),
            queue: BTreeSet::new(),
            gone: BTreeMap::new(),
            finished: Vec::new(),
        }
    }

    /// Whether the day is over at `at`, or none has begun.
    #[inline]
    pub(crate) fn is_over(&self, at: i64) -> bool {
        self.start.is_none_or(|start| at >= midnight(start) + DAY)
    }

    /// Moves all hopes to a clock that was set back to `at`: each lasts as much longer as before.
    fn set_hopes_back(&mut self, at: i64) {
        let back = self.now - at;
        self.hopes.values_mut().for_each(|until| *until -= back);
        let queue = std::mem::take(&mut self.queue);
        self.queue = queue.into_iter().map(|(until, key)| (until - back, key)).collect();
    }

    /// A session was granted the product: its earlier refusal was not a true one.
    #[inline]
    pub(crate) fn granted(&mut self, at: i64, product: ProductId, session: &Arc<SessionId>) {
        if !self.queue.is_empty() {
            self.lose_hope(at);
            self.forget((product, session.clone()));
        }
    }

    /// Counts a refusal; `holds` says whether the session holds the product by now.
    pub(crate) fn refused(&mut self, at: i64, entry: &crate::Refused, holds: bool) {
        self.lose_hope(at);
        let product = entry.product;
        let refused = self.refused.entry(product).or_default();
        refused.times = refused.times.saturating_add(entry.times);
        match &entry.whom {
            Whom::Others { sessions } => refused.others = refused.others.max(*sessions),
            Whom::Session { session, waited_seconds, .. } => {
                let key = (product, session.clone());
                if !self.sessions.contains(&key) {
                    refused.sessions = refused.sessions.saturating_add(1);
                    if self.sessions.len() < REMEMBERED {
                        self.sessions.insert(key.clone());
                    }
                }
                if waited_seconds.is_some() {
                    refused.lasting = refused.lasting.saturating_add(1);
                    self.forget(key);
                } else if !holds && !self.hopes.contains_key(&key) {
                    self.hope(at + PATIENCE, key);
                }
            }
        }
    }

    pub(crate) fn hope(&mut self, until: i64, key: Key) {
        self.hopes.insert(key.clone(), until);
        self.queue.insert((until, key));
        if self.queue.len() > REMEMBERED {
            self.lose_oldest();
        }
    }

    fn forget(&mut self, key: Key) {
        if let Some(until) = self.hopes.remove(&key) {
            self.queue.remove(&(until, key));
        }
    }

    /// Ends the hopes that lasted until `at`: those refusals are true ones.
    fn lose_hope(&mut self, at: i64) {
        while self.queue.first().is_some_and(|(until, _)| *until <= at) {
            self.lose_oldest();
        }
    }

    fn lose_oldest(&mut self) {
        if let Some((_, key)) = self.queue.pop_first() {
            self.hopes.remove(&key);
            let refused = self.refused.entry(key.0).or_default();
            refused.lasting = refused.lasting.saturating_add(1);
        }
    }
}

/// The parts of a ledger, or of a tally, that change when a day ends.
pub(crate) struct Books<'l> {
    products: &'l mut BTreeMap<ProductId, Product>,
    license: Option<&'l License>,
    day: &'l mut Day,
}

impl Ledger {
    /// Ends every day that is over at `at` and begins that of `at`.
    pub(crate) fn turn_the_day(&mut self, at: i64) {
        self.books().turn(at);
    }

    /// The clock was set back to `at`, in an earlier day: what was counted in the current day so far
    /// counts for that one.
    pub(crate) fn set_day_back(&mut self, at: i64) {
        self.books().set_back(at);
    }

    pub(crate) fn books(&mut self) -> Books<'_> {
        let Ledger { products, license, day, .. } = self;
        Books { products, license: license.as_deref(), day }
    }

    /// Takes the figures of the days that the last applied entry ended. The turn that appends an entry
    /// writes them down with it, so those of a replayed entry are written already.
    pub fn take_figures(&mut self) -> Vec<Figure> {
        std::mem::take(&mut self.day.finished)
    }

    /// The figures that no entry has made final yet, as they would be at `now`: those of the current
    /// day, and of days before it since the last entry.
    pub fn running_figures(&self, now: jiff::Timestamp) -> Vec<Figure> {
        let Some(start) = self.day.start else { return Vec::new() };
        let at = now.as_millisecond().max(self.day.now).max(start);
        let (mut products, mut day) = (self.products.clone(), self.day.clone());
        let mut books =
            Books { products: &mut products, license: self.license.as_deref(), day: &mut day };
        books.day.finished.clear();
        if books.day.is_over(at) {
            books.turn(at);
        }
        books.finish(at);
        day.finished
    }
}

impl Books<'_> {
    fn turn(&mut self, at: i64) {
        self.day.finished.clear();
        let today = midnight(at);
        let Some(mut start) = self.day.start else { return self.begin(today) };
        while start < today {
            let next = midnight(start) + DAY;
            self.finish(next);
            // If nothing can happen before the next expiry or today, all days until then are alike.
            let alike = if self.day.queue.is_empty() { self.alike(next, today) } else { 0 };
            self.begin(next);
            if alike > 0 {
                let first = self.day.finished.len();
                self.finish(next + DAY);
                for figure in &mut self.day.finished[first..] {
                    figure.days = alike;
                }
                self.begin(next + DAY * i64::try_from(alike).unwrap_or(0));
            }
            start = self.day.start.unwrap_or(today);
        }
    }

    /// How many days from `start` end before `today` and have the same rights.
    fn alike(&self, start: i64, today: i64) -> u64 {
        let of_license = self.license.and_then(|license| license.expires);
        let rights = self.products.values().filter_map(|product| product.rights.as_deref());
        let of_rights = rights.flatten().filter_map(|right| right.expires);
        let ends = of_license.into_iter().chain(of_rights);
        let ends = ends.map(|expiry| expiry.end().saturating_mul(1000)).filter(|end| *end > start);
        let until = ends.fold(today, i64::min);
        u64::try_from((until - start).div_euclid(DAY)).unwrap_or(0)
    }

    pub(crate) fn set_back(&mut self, at: i64) {
        // Only the figures of a day as it was first start at midnight.
        let at = at.max(midnight(at) + 1);
        let Books { products, license, day } = self;
        day.lose_hope(day.now);
        day.set_hopes_back(at);
        let expires = license.and_then(|license| license.expires);
        for product in products.values_mut() {
            let rights = product.rights.as_deref();
            product.running.allow(rights.map(|it| Allowance::of(it, expires, timestamp(at))));
        }
        let gone = day.gone.values_mut().map(|(_, running)| running);
        for running in products.values_mut().map(|product| &mut product.running).chain(gone) {
            // Nobody knows how long the day was by the right clock, so times begin at zero.
            let (held, with_nothing_left) = (0, 0);
            *running =
                Running { since: at, peak_at: at, held, with_nothing_left, ..running.clone() };
        }
        (day.start, day.now) = (Some(at), at);
        let void = timestamp(midnight(at) + DAY);
        let finished = std::mem::take(&mut day.finished).into_iter();
        day.finished = finished.filter_map(|figure| figure.before(void)).collect();
    }

    /// Begins the day of `start`.
    pub(crate) fn begin(&mut self, start: i64) {
        self.day.start = Some(start);
        self.day.refused.clear();
        self.day.sessions.clear();
        self.day.gone.clear();
        let expires = self.license.and_then(|license| license.expires);
        for product in self.products.values_mut() {
            let rights = product.rights.as_deref();
            let allowance = rights.map(|rights| Allowance::of(rights, expires, timestamp(start)));
            product.running = Running::begin(start, product.used, allowance);
        }
    }

    /// Makes the figures of the day, up to `end`.
    pub(crate) fn finish(&mut self, end: i64) {
        self.day.lose_hope(end);
        let start = self.day.start.unwrap_or(end);
        let mut figures = BTreeMap::new();
        for (id, product) in &mut *self.products {
            product.running.pass(end, product.used);
            figures.insert(*id, (product.name.clone(), product.running.clone()));
        }
        for (id, gone) in std::mem::take(&mut self.day.gone) {
            figures.entry(id).or_insert(gone);
        }
        for (product, (product_name, running)) in figures {
            let refused = self.day.refused.get(&product).copied().unwrap_or_default();
            if running.peak == 0 && refused == Refused::default() {
                continue;
            }
            self.day.finished.push(Figure {
                product,
                product_name,
                start: timestamp(start),
                days: 1,
                allowed_count: running.allowed,
                peak_used_count: running.peak,
                peak_after: u64::try_from(running.peak_at - start).unwrap_or(0),
                with_nothing_left: running.with_nothing_left,
                held: running.held,
                retained: running.retained,
                refusals: Refusals {
                    times: refused.times,
                    sessions: refused.sessions.saturating_add(refused.others),
                    lasting: refused.lasting,
                },
            });
        }
    }
}
