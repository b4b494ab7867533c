//! `kill -9` of one of two processes under load on one file, again and again: every acknowledged
//! retention is there afterwards, none is held beyond what is allowed, and the chain verifies.

use std::collections::{BTreeMap, BTreeSet};
use std::env;

use fastrand::Rng;
use license_pool::{Event, Pool, ReleaseCause};

use super::worker::Worker;
use crate::pool::world::{Store, license, options};

/// Fewer than the sessions of the workers.
const ALLOWED: u64 = 9;
/// So many crashes share a store.
const CRASHES_EACH: u64 = 10;
/// So much is told by each worker before one is killed, and by the other after.
const ENOUGH: usize = 40;

#[test]
fn a_process_that_is_killed_takes_nothing_acknowledged_with_it() {
    // `LICENSE_CRASHES=100` makes it a longer proof.
    let crashes: u64 = env::var("LICENSE_CRASHES").map_or(10, |crashes| crashes.parse().unwrap());
    let mut random = Rng::with_seed(9);
    let mut total = Told::default();
    for first in (0..crashes).step_by(CRASHES_EACH as usize) {
        let store = Store::new();
        let observer = options().local().open(&store.url()).unwrap();
        observer.install(license("A", ALLOWED).as_bytes()).unwrap();
        let mut told = Told::default();
        let path = store.path();
        let start = |name: &str, seed: u64| {
            Worker::start(&["load", path.to_str().unwrap(), name, &seed.to_string()])
        };
        let mut survivor = start("west", first * 2);
        for crash in first..crashes.min(first + CRASHES_EACH) {
            // Whoever survived is killed next, and another takes the name of the dead.
            let name = if crash % 2 == 0 { "east" } else { "west" };
            let next = start(name, crash * 2 + 1);
            for worker in [&survivor, &next] {
                (0..random.usize(1..ENOUGH)).for_each(|_| told.hear(&worker.next()));
            }
            for line in survivor.kill() {
                told.hear(&line);
            }
            (0..ENOUGH).for_each(|_| told.hear(&next.next()));
            survivor = next;
        }
        survivor.end().iter().for_each(|line| told.hear(line));
        told.hold_against(&observer);
        total.acknowledged += told.acknowledged;
        total.refused += told.refused;
    }
    println!(
        "{crashes} crashes: {} operations acknowledged, {} refused, nothing lost, nothing oversold",
        total.acknowledged, total.refused
    );
    assert!(total.refused > 0);
}

/// What the workers told.
#[derive(Default)]
struct Told {
    /// The session of each token.
    retained: BTreeMap<u64, String>,
    releasing: BTreeSet<u64>,
    released: BTreeSet<u64>,
    acknowledged: u64,
    refused: u64,
}

impl Told {
    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["retained", token, session] => {
                let before = self.retained.insert(token.parse().unwrap(), session.to_owned());
                assert_eq!(before, None, "token {token} was given away twice");
                self.acknowledged += 1;
            }
            ["releasing", token] => drop(self.releasing.insert(token.parse().unwrap())),
            ["released", token] => {
                self.released.insert(token.parse().unwrap());
                self.acknowledged += 1;
            }
            ["again", token, session] => {
                let token = token.parse().unwrap();
                assert!(self.retained.get(&token).is_none_or(|before| before == session), "{line}");
            }
            ["refused"] => self.refused += 1,
            _ => panic!("a worker told: {line}"),
        }
    }

    /// Compares it with the log.
    fn hold_against(&self, pool: &Pool) {
        let check = pool.check().unwrap();
        assert!(check.faults.is_empty() && check.ledgers[0].sound, "{check:?}");
        let mut held = BTreeMap::new();
        let mut released = BTreeMap::new();
        for entry in pool.history().map(Result::unwrap) {
            match entry.event {
                Event::Retained(event) => {
                    let token = event.token.get();
                    held.insert(token, event.session_id.to_string());
                    if let Some(session) = self.retained.get(&token) {
                        assert_eq!(*session, event.session_id.to_string(), "token {token}");
                    }
                    assert!(held.len() as u64 <= ALLOWED, "oversold at token {token}");
                }
                Event::Released(event) => {
                    held.remove(&event.token.get()).expect("it was held");
                    released.insert(event.token.get(), event.cause);
                }
                Event::Installed(_)
                | Event::Uninstalled(_)
                | Event::Refused(_)
                | Event::StateChanged(_)
                | Event::Described(_)
                | Event::Moved(_)
                | Event::Adopted(_)
                | Event::ClockCorrected(_) => {}
            }
        }
        for token in self.retained.keys() {
            assert!(held.contains_key(token) || released.contains_key(token), "{token} was lost");
        }
        for token in &self.released {
            assert!(released.contains_key(token), "the release of {token} was lost");
        }
        for (token, cause) in released {
            // What its process did not ask for ended because that died.
            let asked = self.releasing.contains(&token) || !self.retained.contains_key(&token);
            assert!(asked || cause == ReleaseCause::ServerLost, "{token} was released: {cause}");
        }
    }
}
