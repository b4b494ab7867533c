//! Which ledgers stay in memory, and when a faulted one is read again.

use license_types::Session;

use super::*;
use crate::log::MemoryLog;
use crate::{Pool, SAMPLE_LICENSE};

const MAX: usize = 8;
const LICENSES: usize = 50;

#[test]
fn of_many_ledgers_those_stay_that_are_asked_for_or_served() {
    let log = MemoryLog::default();
    let pool = Pool::options().server(name("own")).open_log(log.clone()).unwrap();
    let licenses: Vec<Which> = (0..LICENSES).map(|number| which(&install(&pool, number))).collect();
    // One is served by this server, and was not asked for in the longest time.
    let session = Session::rest("ann", "job-7", "127.0.0.1");
    pool.license("L-0").retain("0009", "job-7", session).unwrap().keep();
    let mut memory = World::new(log);
    let read = |memory: &mut World, license: &Which| memory.read(std::slice::from_ref(license));
    for license in &licenses {
        read(&mut memory, license);
        assert!(memory.ledgers.memory.len() <= MAX + 1);
        assert!(memory.ledgers.leads.len() <= MAX + 2);
    }
    memory.reloads = 0;
    for _ in 0..3 {
        read(&mut memory, &licenses[0]);
        read(&mut memory, licenses.last().unwrap());
    }
    assert_eq!(memory.reloads, 0, "what is served or was just used is still there");
    read(&mut memory, &licenses[1]);
    assert_eq!(memory.reloads, 1);
    // A turn that needs more than stay has all of them, and afterwards they go.
    memory.read(&licenses);
    assert_eq!(memory.ledgers.memory.len(), LICENSES);
    read(&mut memory, &licenses[2]);
    assert!(memory.ledgers.memory.len() <= MAX + 1);
}

#[test]
fn what_is_in_memory_is_not_read_again_under_another_name() {
    let log = MemoryLog::default();
    let pool = Pool::options().server(name("own")).open_log(log.clone()).unwrap();
    let number = which(&install(&pool, 1));
    for (first, then) in [(&number, &Which::Only), (&Which::Only, &number)] {
        let mut memory = World::new(log.clone());
        memory.read(std::slice::from_ref(first));
        assert_eq!(std::mem::take(&mut memory.reloads), 1);
        memory.read(std::slice::from_ref(then));
        assert_eq!(memory.reloads, 0, "{first:?}, then {then:?}");
    }
    // Another that is installed by another process beside it is no ledger that is in memory.
    let mut memory = World::new(log);
    memory.read(&[Which::Only]);
    let other = which(&install(&pool, 2));
    memory.read(std::slice::from_ref(&other));
    assert_eq!(memory.reloads, 2);
    assert_eq!(memory.ledgers.memory.len(), 2);
}

#[test]
fn where_all_must_stay_they_are_not_looked_through_for_each() {
    let log = MemoryLog::default();
    let pool = Pool::options().server(name("own")).open_log(log.clone()).unwrap();
    let mut memory = World::new(log);
    let mut crowds = Vec::new();
    for number in 0..LICENSES {
        let number = install(&pool, number);
        let session = Session::rest("ann", "job-7", "127.0.0.1");
        pool.license(number.clone()).retain("0009", "job-7", session).unwrap().keep();
        memory.read(&[which(&number)]);
        crowds.push(memory.ledgers.crowd);
    }
    assert_eq!(memory.ledgers.memory.len(), LICENSES);
    crowds.dedup();
    assert!(crowds.len() < LICENSES / 2, "{crowds:?}");
}

#[test]
fn a_faulted_ledger_is_read_again_after_a_while() {
    let log = MemoryLog::default();
    let pool = Pool::options().open_log(log.clone()).unwrap();
    let license = which(&install(&pool, 0));
    let mut memory = World::new(log);
    memory.read(std::slice::from_ref(&license));
    let fault = Fault { sequence: 1, source: Arc::new(std::fmt::Error) };
    memory.ledgers.faulted(LedgerId(1), fault);
    memory.now += FAULT_BELIEVED / 2;
    assert!(matches!(memory.get(&license), Err(Error::LedgerFaulted { sequence: 1, .. })));
    memory.now += FAULT_BELIEVED;
    assert!(memory.get(&license).is_ok());
}

/// Ledgers and the log they are read from.
struct World {
    ledgers: Ledgers,
    log: MemoryLog,
    now: Duration,
    reloads: usize,
}

impl World {
    fn new(log: MemoryLog) -> World {
        let ledgers = Ledgers::new(Arc::new(name("own")), MAX, Arc::default());
        World { ledgers, log, now: Duration::ZERO, reloads: 0 }
    }

    fn read(&mut self, licenses: &[Which]) -> Vec<Found> {
        loop {
            let asked = self.ledgers.ask(licenses, self.now);
            let news = self.log.catch_up(&asked).unwrap();
            let Err(stale) = self.ledgers.absorb(&asked, &news) else { return news.found };
            for id in stale {
                self.reloads += 1;
                self.ledgers.reload(&mut self.log, id).unwrap();
            }
        }
    }

    fn get(&mut self, license: &Which) -> Result<u64, Error> {
        let found = self.read(std::slice::from_ref(license)).remove(0);
        self.ledgers.get(license, &found).map(|(_, ledger)| ledger.head().sequence)
    }
}

fn install(pool: &Pool, number: usize) -> String {
    let number = format!("L-{number}");
    let license: serde_json::Value = serde_json::from_str(SAMPLE_LICENSE).unwrap();
    let mut license = license;
    license["licenseNumber"] = number.clone().into();
    pool.install(license.to_string().as_bytes()).unwrap();
    number
}

fn which(number: &str) -> Which {
    Which::Number(number.into())
}

fn name(name: &str) -> ServerName {
    ServerName::new(name).unwrap()
}
