//! The ledger in memory: what one retain or release costs, from ten to a million live retentions.
//!
//! Work comes in turns, as it does in the pool: the commands of a turn are made beforehand (callers'
//! threads do that), and its entries are kept until it ends. A turn releases random licenses and
//! retains each again. Chain values are left out here: they belong to writing the log.
//!
//! The yardstick is a bare table that does the least that retaining can mean, with plain integers: a
//! session holds a product or does not, one counter is compared with a maximum, and the next token
//! is taken. It keeps no record, no log and no order.

use std::{
    collections::{HashMap, hash_map},
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use fastrand::Rng;
use jiff::Timestamp;
use license_core::{
    Command, Entry, Install, Ledger, License, Release, Retain, SAMPLE_LICENSE, Stamp, Target,
    decide,
};
use license_types::{ProductId, Session, SessionId};

use crate::figure::{Bound, Figure, median};

const SIZES: [usize; 5] = [10, 1_000, 10_000, 100_000, 1_000_000];
/// Turns of each size; each is a sample of its own, so that a machine that does other things now and
/// then moves no median. One size comes after the other, as a server has one: the ledger and the bare
/// table of a size share the caches, and of no other.
const ROUNDS: usize = 1_000;
/// Licenses that one turn releases and retains again.
const EXCHANGES: usize = 256;

pub(crate) fn measure(report: &mut dyn FnMut(Figure)) {
    let (mut ledger, mut bare) = (Vec::new(), Vec::new());
    for size in SIZES {
        let mut world = World::new(size);
        let (of_ledger, of_bare) = (0..ROUNDS).map(|_| world.turn()).unzip();
        ledger.push(median(of_ledger));
        bare.push(median(of_bare));
    }
    let yardstick = "bare hash table of integers, same choices, same run".to_owned();
    for (index, size) in SIZES.into_iter().enumerate() {
        report(Figure {
            goal: "P7",
            part: format!("decide + apply with {size} held"),
            value: ledger[index],
            bound: None,
            yardstick: format!("{:.1} ns: {yardstick}", bare[index]),
            unit: "ns",
        });
    }
    let ten_thousand = 2;
    report(Figure {
        goal: "P7",
        part: "decide + apply, one thread, 10 k held".to_owned(),
        value: 1000.0 / ledger[ten_thousand],
        bound: Some(Bound::AtLeast(3.0)),
        yardstick: "none: absolute".to_owned(),
        unit: "M/s",
    });
    report(Figure {
        goal: "P7",
        part: "ledger ÷ bare table, 10 k held".to_owned(),
        value: bare[ten_thousand] / ledger[ten_thousand],
        bound: Some(Bound::AtLeast(0.1)),
        yardstick: format!("{:.1} M/s: {yardstick}", 1000.0 / bare[ten_thousand]),
        unit: "ratio",
    });
    let (none, million) = (0, SIZES.len() - 1);
    let loss = |costs: &[f64]| costs[million] / costs[none];
    report(Figure {
        goal: "P6",
        part: "ledger's loss from none to 1 M held ÷ bare table's loss".to_owned(),
        value: loss(&ledger) / loss(&bare),
        bound: Some(Bound::AtMost(2.0)),
        yardstick: format!("{:.1}×: {yardstick} ({:.1}×)", loss(&ledger), loss(&bare)),
        unit: "ratio",
    });
}

/// A ledger and a bare table that hold the same licenses.
struct World {
    held: usize,
    ledger: Ledger,
    stamp: Stamp,
    now: Timestamp,
    product: ProductId,
    bare: Bare,
    random: Rng,
}

impl World {
    fn new(held: usize) -> World {
        let license = License::parse(SAMPLE_LICENSE.as_bytes()).unwrap();
        let mut world = World {
            held,
            ledger: Ledger::new(),
            stamp: Stamp::local(),
            now: "2026-01-05T10:00:00Z".parse().unwrap(),
            product: "0007".parse().unwrap(),
            bare: Bare { held: HashMap::new(), used: [0], next_token: 1 },
            random: Rng::with_seed(7),
        };
        world.execute(&Command::Install(Install::new(license)), &mut Vec::new());
        for session in 0..held {
            let [_, retain] = world.commands(session);
            world.execute(&retain, &mut Vec::new());
            world.bare.retain(session as u64, 0);
        }
        assert_eq!(world.ledger.live().count(), held);
        world
    }

    /// What a session's caller sends to release a license and to retain it again.
    fn commands(&self, session: usize) -> [Command; 2] {
        let id = format!("session-{session:07}");
        let description = Session::rest("ann", &id, "127.0.0.1");
        let retain = Retain::new(self.product, SessionId::new(id).unwrap(), description);
        let (session, product) = (Arc::new((*retain.session).clone()), Some(self.product));
        let release = Release::new(Target::Session { session, product, token: None });
        [Command::Release(release), Command::Retain(retain)]
    }

    /// Nanoseconds for one operation, a release or a retain, on the ledger and on the bare table.
    fn turn(&mut self) -> (f64, f64) {
        let sessions: Vec<usize> = (0..EXCHANGES).map(|_| self.random.usize(..self.held)).collect();
        let commands: Vec<_> = sessions.iter().flat_map(|it| self.commands(*it)).collect();
        let start = Instant::now();
        let mut entries = Vec::with_capacity(commands.len());
        for command in &commands {
            self.execute(command, &mut entries);
        }
        drop(entries);
        let ledger = start.elapsed();
        let start = Instant::now();
        for session in sessions {
            black_box(self.bare.release(session as u64, 0));
            black_box(self.bare.retain(session as u64, 0));
        }
        let bare = start.elapsed();
        let each = |time: Duration| time.as_nanos() as f64 / (2 * EXCHANGES) as f64;
        (each(ledger), each(bare))
    }

    fn execute(&mut self, command: &Command, entries: &mut Vec<Entry>) {
        let verdict = decide(&self.ledger, command, &self.stamp, self.now).unwrap();
        for event in verdict.events {
            let entry = self.ledger.draft(event, &self.stamp, self.now);
            self.ledger.apply(&entry).unwrap();
            entries.push(entry);
        }
    }
}

struct Bare {
    /// The token of each session and product.
    held: HashMap<(u64, u64), u64>,
    /// The count of each product.
    used: [u64; 1],
    next_token: u64,
}

impl Bare {
    fn retain(&mut self, session: u64, product: usize) -> Option<u64> {
        if self.used[product] >= black_box(u64::MAX) {
            return None;
        }
        let hash_map::Entry::Vacant(vacant) = self.held.entry((session, product as u64)) else {
            return None;
        };
        vacant.insert(self.next_token);
        self.used[product] += 1;
        self.next_token += 1;
        Some(self.next_token - 1)
    }

    fn release(&mut self, session: u64, product: usize) -> Option<u64> {
        let token = self.held.remove(&(session, product as u64))?;
        self.used[product] -= 1;
        Some(token)
    }
}
