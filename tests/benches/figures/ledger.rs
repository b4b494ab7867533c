//! The ledger in memory: what one retain or release costs, from ten to a million live retentions.
//!
//! The yardstick is a bare table that does the least that retaining can mean, with plain integers: a
//! session holds or does not hold, one counter is compared with a maximum, and the next token is
//! taken. It decides nothing else, keeps no record and no log.

use std::{collections::HashMap, hint::black_box};

use fastrand::Rng;
use jiff::Timestamp;
use license_core::{
    Command, Install, Ledger, License, Release, Retain, SAMPLE_LICENSE, Stamp, Target, decide,
};
use license_types::{ProductId, Session, SessionId};

use crate::figure::{Bound, Figure, median, time};

const SIZES: [usize; 5] = [10, 1_000, 10_000, 100_000, 1_000_000];
const ROUNDS: usize = 7;
/// Pairs of a release and a retain that one round does.
const PAIRS: usize = 200_000;

pub(crate) fn measure(report: &mut dyn FnMut(Figure)) {
    let mut worlds: Vec<World> = SIZES.into_iter().map(World::new).collect();
    let mut ledger = vec![Vec::new(); SIZES.len()];
    let mut bare = vec![Vec::new(); SIZES.len()];
    for _ in 0..ROUNDS {
        for (index, world) in worlds.iter_mut().enumerate() {
            // One operation is a retain or a release.
            ledger[index].push(time(PAIRS, || world.exchange()) / 2.0);
            bare[index].push(time(PAIRS, || world.exchange_bare()) / 2.0);
        }
    }
    let ledger: Vec<f64> = ledger.into_iter().map(median).collect();
    let bare: Vec<f64> = bare.into_iter().map(median).collect();
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

/// A ledger and a bare table that hold the same number of licenses.
struct World {
    ledger: Ledger,
    stamp: Stamp,
    now: Timestamp,
    /// The commands by which each session releases and retains, as callers' threads make them.
    sessions: Vec<(Command, Command)>,
    bare: Bare,
    random: Rng,
    random_bare: Rng,
}

impl World {
    fn new(held: usize) -> World {
        let product: ProductId = "0007".parse().unwrap();
        let license = License::parse(SAMPLE_LICENSE.as_bytes()).unwrap();
        let mut world = World {
            ledger: Ledger::new(),
            stamp: Stamp::local(),
            now: "2026-01-05T10:00:00Z".parse().unwrap(),
            sessions: Vec::with_capacity(held),
            bare: Bare { held: HashMap::new(), allowed: u64::MAX, next_token: 1 },
            random: Rng::with_seed(7),
            random_bare: Rng::with_seed(7),
        };
        world.execute(&Command::Install(Install::new(license)));
        for index in 0..held {
            let id = format!("session-{index:07}");
            let description = Session::rest("ann", &id, "127.0.0.1");
            let retain = Retain::new(product, SessionId::new(id).unwrap(), description);
            let session = retain.session.clone();
            let target = Target::Session { session, product: Some(product), token: None };
            let retain = Command::Retain(retain);
            world.execute(&retain);
            world.sessions.push((Command::Release(Release::new(target)), retain));
            world.bare.retain(index as u64);
        }
        assert_eq!(world.ledger.live().count(), held);
        world
    }

    fn execute(&mut self, command: &Command) {
        execute(&mut self.ledger, command, &self.stamp, self.now);
    }

    /// One session releases, and retains again.
    fn exchange(&mut self) {
        let (release, retain) = &self.sessions[self.random.usize(..self.sessions.len())];
        execute(&mut self.ledger, release, &self.stamp, self.now);
        execute(&mut self.ledger, retain, &self.stamp, self.now);
    }

    fn exchange_bare(&mut self) {
        let session = self.random_bare.u64(..self.sessions.len() as u64);
        black_box(self.bare.release(session));
        black_box(self.bare.retain(session));
    }
}

fn execute(ledger: &mut Ledger, command: &Command, stamp: &Stamp, now: Timestamp) {
    let verdict = decide(ledger, command, stamp, now).unwrap();
    for event in verdict.events {
        let entry = ledger.draft(event, stamp, now);
        ledger.apply(&entry).unwrap();
    }
}

struct Bare {
    held: HashMap<u64, u64>,
    allowed: u64,
    next_token: u64,
}

impl Bare {
    fn retain(&mut self, session: u64) -> Option<u64> {
        if self.held.len() as u64 >= self.allowed {
            return None;
        }
        let token = *self.held.entry(session).or_insert(self.next_token);
        self.next_token += 1;
        Some(token)
    }

    fn release(&mut self, session: u64) -> Option<u64> {
        self.held.remove(&session)
    }
}
