//! The ledger: what one customer's log adds up to.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use license_types::{Principal, ProductId, Token};

use crate::{
    Digest, Entry, Event, License, Stamp,
    day::Day,
    figure::Running,
    rights::{Allowance, Right},
    served::Served,
    session::{Holding, Live, Sessions},
    tokens::Tokens,
};

/// The state of one customer's license: products and rights, sessions, live retentions, counters.
///
/// It changes by [`apply`](Self::apply) alone. A clone is a ledger of its own, as a trial needs it.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(crate) head: Head,
    pub(crate) time: Timestamp,
    pub(crate) license: Option<Arc<License>>,
    /// Every number that the license bore; the last one is in force, where a license is.
    pub(crate) numbers: Vec<Arc<str>>,
    /// What the license lists, and what it no longer lists but is held.
    pub(crate) products: BTreeMap<ProductId, Product>,
    /// The products in installed order; what is gone from the license comes last.
    pub(crate) order: Vec<ProductId>,
    pub(crate) sessions: Sessions,
    pub(crate) retentions: Tokens<Live>,
    pub(crate) last_token: u64,
    /// Licenses held by each principal.
    pub(crate) seats: BTreeMap<Arc<Principal>, u64>,
    pub(crate) day: Day,
}

/// Where a log ends: what is appended next must follow it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Sequence of the last entry; 0 in an empty log.
    pub sequence: u64,
    /// Chain value of the last entry; zeros in an empty log.
    pub chain: Digest,
}

#[derive(Clone, Debug)]
pub(crate) struct Product {
    pub(crate) name: Arc<str>,
    /// `None` once the license no longer lists the product.
    pub(crate) rights: Option<Arc<[Right]>>,
    pub(crate) used: u64,
    /// The same count for each server that serves any; its sum is `used`.
    pub(crate) used_by: Served,
    pub(crate) running: Running,
}

impl Ledger {
    /// The ledger of an empty log.
    pub fn new() -> Ledger {
        Ledger {
            head: Head::default(),
            time: Timestamp::MIN,
            license: None,
            numbers: Vec::new(),
            products: BTreeMap::new(),
            order: Vec::new(),
            sessions: Sessions::default(),
            retentions: Tokens::new(),
            last_token: 0,
            seats: BTreeMap::new(),
            day: Day::new(),
        }
    }

    /// Where the log ends.
    pub fn head(&self) -> Head {
        self.head
    }

    /// The license that is in force; none before the first, and after one was uninstalled.
    pub fn license(&self) -> Option<&Arc<License>> {
        self.license.as_ref()
    }

    /// Every number that points to this ledger; the last one is in force, where any is.
    pub fn license_numbers(&self) -> impl ExactSizeIterator<Item = &str> {
        self.numbers.iter().map(|number| &**number)
    }

    /// The last of these numbers, which leads to this ledger whatever is installed beside it.
    pub fn license_number(&self) -> Option<&Arc<str>> {
        self.numbers.last()
    }

    /// The instant of an entry that is decided at `now`: to the millisecond, and never earlier than
    /// the last entry, so that setting a clock back gains nothing.
    pub fn instant(&self, now: Timestamp) -> Timestamp {
        if now <= self.time { self.time } else { milliseconds(now) }
    }

    /// Makes the entry that comes next, complete with its chain value.
    pub fn seal(&self, event: Event, stamp: &Stamp, now: Timestamp) -> Entry {
        let mut entry = self.draft(event, stamp, now);
        entry.chain = entry.link(&self.head.chain);
        entry
    }

    /// Makes the entry that comes next without its chain value, for trials and measurements that
    /// append to no log.
    pub fn draft(&self, event: Event, stamp: &Stamp, now: Timestamp) -> Entry {
        let time = match event {
            Event::ClockCorrected => milliseconds(now),
            Event::Installed(_)
            | Event::Uninstalled { .. }
            | Event::Retained(_)
            | Event::Released(_)
            | Event::Refused(_)
            | Event::StateChanged { .. }
            | Event::Described { .. }
            | Event::Moved { .. }
            | Event::Adopted { .. } => self.instant(now),
        };
        let sequence = self.head.sequence + 1;
        Entry { sequence, time, stamp: stamp.clone(), event, chain: Digest::default() }
    }

    /// How many licenses a principal holds.
    pub fn seats(&self, principal: &Principal) -> u64 {
        self.seats.get(principal).copied().unwrap_or(0)
    }

    /// Licenses allowed and in use of a product; (0, 0) for an unknown one.
    pub(crate) fn counts(&self, product: ProductId, now: Timestamp) -> (u64, u64) {
        match self.products.get(&product) {
            Some(product) => (self.allowance(product, self.instant(now)).count(), product.used),
            None => (0, 0),
        }
    }

    /// Every product in installed order; what is gone from the license comes last.
    pub(crate) fn listed_products(&self) -> impl Iterator<Item = (ProductId, &Product)> {
        self.order.iter().filter_map(|id| Some((*id, self.products.get(id)?)))
    }

    pub(crate) fn next_token(&self) -> Token {
        Token::new(self.last_token + 1).unwrap_or(Token::MAX)
    }

    pub(crate) fn allowance(&self, product: &Product, time: Timestamp) -> Allowance {
        let expires = self.license.as_ref().and_then(|license| license.expires);
        match &product.rights {
            Some(rights) => Allowance::of(rights, expires, time),
            None => Allowance::Limited(0),
        }
    }

    /// Whether the log has a description of a session already.
    pub(crate) fn is_described(&self, holding: Holding<'_>, digest: Digest) -> bool {
        let of_record = |(_, token)| {
            self.retentions.get(token).is_some_and(|live| live.record.identity.digest() == digest)
        };
        holding.session.described().contains(&digest) || holding.held().any(of_record)
    }

    /// Whether this ledger is the one of a license that bears `number`.
    pub(crate) fn bears(&self, number: &str) -> bool {
        self.numbers.iter().any(|borne| &**borne == number)
    }
}

impl Default for Ledger {
    fn default() -> Ledger {
        Ledger::new()
    }
}

/// A time as entries bear it.
pub(crate) fn milliseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}
