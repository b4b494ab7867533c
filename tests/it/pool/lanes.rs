//! Ledgers spread over several connections, all driven by one thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use license_core::{Entry, Event};
use license_pool::log::{Asked, LedgerId, Log, LogError, MemoryLog, News, Turn, TurnError};
use license_pool::{Driver, Error, Pool, ReleaseCause};
use license_tests::around::{Around, Outside};

use super::cluster::leased;
use super::world::{license, options};

/// A log of several handles that all lose the store at once.
struct Away {
    log: MemoryLog,
    away: Arc<AtomicBool>,
}

impl Around for Away {
    fn inside(&mut self) -> &mut MemoryLog {
        &mut self.log
    }

    fn for_writer(&self) -> Option<Box<dyn Log>> {
        Some(Box::new(Outside(Away { log: self.log.clone(), away: self.away.clone() })))
    }

    fn reach(&mut self, action: &'static str) -> Result<(), LogError> {
        match self.away.load(Ordering::SeqCst) {
            true => Err(LogError::Unavailable { action, source: "it is away".into() }),
            false => Ok(()),
        }
    }

    fn turn(
        &mut self,
        asked: &[Asked],
        decide: &mut dyn FnMut(News) -> Turn,
    ) -> Result<(), TurnError> {
        self.reach("begin a turn").map_err(TurnError::Dropped)?;
        self.log.turn(asked, decide)
    }

    fn catch_up(&mut self, asked: &[Asked]) -> Result<News, LogError> {
        self.reach("read")?;
        self.log.catch_up(asked)
    }
}

/// A log of which it is counted how many handles are made beside the first.
struct Counted {
    log: MemoryLog,
    handles: Arc<AtomicU8>,
}

impl Around for Counted {
    fn inside(&mut self) -> &mut MemoryLog {
        &mut self.log
    }

    fn for_writer(&self) -> Option<Box<dyn Log>> {
        self.handles.fetch_add(1, Ordering::SeqCst);
        let (log, handles) = (self.log.clone(), self.handles.clone());
        Some(Box::new(Outside(Counted { log, handles })))
    }
}

#[test]
fn no_pool_has_more_connections_than_an_address_may_ask_for() {
    for (asked, beside) in [(0, 0), (1, 0), (64, 63), (255, 63)] {
        let handles = Arc::new(AtomicU8::new(0));
        let log = Outside(Counted { log: MemoryLog::default(), handles: handles.clone() });
        drop(options().connections(asked).open_driven(log).unwrap());
        assert_eq!(handles.load(Ordering::SeqCst), beside, "{asked}");
    }
}

/// A pool on three connections, and a license for each.
fn spread(log: impl Log + 'static) -> (Pool, Driver) {
    let (pool, mut driver) = options().connections(3).open_driven(log).unwrap();
    for number in ["A", "B", "C"] {
        let installed = pool.install_with(license(number, 1).as_bytes(), Default::default());
        driver.step();
        installed.try_take().unwrap().unwrap();
    }
    (pool, driver)
}

#[test]
fn each_connection_of_a_pool_serves_its_ledgers_and_ends_with_the_others() {
    let mut log = MemoryLog::default();
    let (pool, mut driver) = spread(log.clone());
    for number in ["A", "B", "C"] {
        let granted = pool.license(number).grant(leased("one", 90), None);
        driver.step();
        granted.try_take().unwrap().unwrap();
    }
    let closed = pool.close();
    assert_eq!(driver.step(), None);
    closed.try_take().unwrap().unwrap();
    let lost = |entry: &Entry| match &entry.event {
        Event::Released(released) => released.cause == ReleaseCause::ServerLost,
        _ => false,
    };
    for id in 1..=3 {
        let entries = log.page(LedgerId(id), 0, 10).unwrap();
        assert_eq!(entries.iter().filter(|entry| lost(entry)).count(), 1, "{entries:?}");
    }
    assert!(log.beat(&[]).unwrap().is_empty(), "its name is off the register");
    assert_eq!(driver.step(), None);
}

#[test]
fn nobody_stands_in_line_where_the_store_cannot_tell_who_serves_the_license() {
    let (log, away) = (MemoryLog::default(), Arc::new(AtomicBool::new(false)));
    drop(spread(log.clone()));
    let log = Outside(Away { log, away: away.clone() });
    let (pool, mut driver) = options().connections(3).open_driven(log).unwrap();
    driver.step();
    let wait =
        |session| pool.license("A").grant(leased(session, 90), Some(Duration::from_secs(30)));
    away.store(true, Ordering::SeqCst);
    let told = wait("one");
    driver.step();
    assert!(matches!(told.try_take().unwrap(), Err(Error::StoreUnavailable(_))));
    away.store(false, Ordering::SeqCst);
    let [granted, waits] = ["one", "two"].map(wait);
    driver.step();
    granted.try_take().unwrap().unwrap();
    // Where it is known who serves the license, whoever waits goes on.
    away.store(true, Ordering::SeqCst);
    driver.step();
    let also_waits = wait("three");
    driver.step();
    assert!(waits.try_take().is_err() && also_waits.try_take().is_err());
}
