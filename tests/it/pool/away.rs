//! A store that is away: nothing is counted meanwhile, nobody is told anything wrong, and when it is
//! back everybody gets the time to be heard.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use license_core::{Entry, Figure};
use license_pool::log::{
    Asked, LedgerId, LedgerNumbers, Log, LogError, Mark, MemoryLog, News, Server, ServerRow,
    Silence, Turn, TurnError,
};
use license_pool::{Clock, Driver, Error, KeptCredential, ManualClock, Pool, ServerName};

use super::cluster::leased;
use super::world::{clock, license};

struct World {
    away: Arc<AtomicBool>,
    late: Arc<Mutex<Option<MemoryLog>>>,
    log: MemoryLog,
    clock: Arc<ManualClock>,
    pool: Pool,
    driver: Driver,
}

impl World {
    fn new() -> World {
        let (away, clock) = (Arc::new(AtomicBool::new(false)), clock());
        let (late, log) = (Arc::default(), MemoryLog::default());
        let away_log = Away { log: log.clone(), away: away.clone(), late: Arc::clone(&late) };
        let options = Pool::options().server("east".parse().unwrap()).serving();
        let (pool, driver) =
            options.clock(clock.clone()).instance(1).open_driven(away_log).unwrap();
        let mut world = World { away, late, log, clock, pool, driver };
        let document = license("A", 9);
        let installed = world.pool.install_with(document.as_bytes(), Default::default());
        let granted = world.pool.grant(leased("one", 90), None);
        world.pass(0);
        installed.try_take().unwrap().unwrap();
        granted.try_take().unwrap().unwrap();
        world
    }

    fn pass(&mut self, seconds: u64) {
        let end = self.clock.elapsed() + Duration::from_secs(seconds);
        while let Some(due) = self.driver.step()
            && self.clock.elapsed() < end
        {
            let by = due.min(end).saturating_sub(self.clock.elapsed());
            let by = by.max(Duration::from_millis(1));
            self.clock.advance(SignedDuration::try_from(by).unwrap());
        }
        self.driver.step();
    }

    fn held(&mut self) -> Result<usize, Error> {
        let held = self.pool.held_async(None);
        self.driver.step();
        held.try_take().unwrap().map(|held| held.len())
    }
}

#[test]
fn a_store_that_was_away_begins_leases_afresh() {
    let mut world = World::new();
    world.pass(10);
    world.away.store(true, Ordering::SeqCst);
    assert!(matches!(world.held(), Err(Error::StoreUnavailable(_))));
    world.pass(1000);
    world.away.store(false, Ordering::SeqCst);
    world.pass(1);
    for _ in 0..88 {
        world.pass(1);
        assert_eq!(world.held().unwrap(), 1);
    }
    world.pass(2);
    assert_eq!(world.held().unwrap(), 0);
}

#[test]
fn a_store_that_comes_and_goes_keeps_no_dead_seat() {
    let mut world = World::new();
    for _ in 0..20 {
        world.pass(20);
        world.away.store(true, Ordering::SeqCst);
        world.pass(60);
        world.away.store(false, Ordering::SeqCst);
    }
    world.pass(2);
    assert_eq!(world.held().unwrap(), 0);
}

#[test]
fn who_waits_or_watches_goes_on_when_the_store_is_back() {
    let mut world = World::new();
    let watch = world.pool.watch(2);
    world.pass(1);
    world.away.store(true, Ordering::SeqCst);
    world.pass(60);
    let watch = watch.try_take().unwrap_err();
    world.away.store(false, Ordering::SeqCst);
    let released = world.pool.release_async("one", None);
    world.pass(1);
    released.try_take().unwrap().unwrap();
    assert_eq!(watch.try_take().unwrap().unwrap().sequence, 3);
}

#[test]
fn a_server_that_beats_at_the_last_moment_lives_and_lengthens_nobodys_lease() {
    let mut world = World::new();
    let mut west = world.log.clone();
    west.register(Server {
        name: "west".parse().unwrap(),
        instance: "west".to_owned(),
        lease_seconds: 90,
        grace_seconds: 90,
        transient: true,
    })
    .unwrap();
    *world.late.lock().unwrap() = Some(west);
    let mut renewed = 0;
    for second in 0.. {
        if world.late.lock().unwrap().is_none() {
            break;
        }
        if second % 10 == 0 {
            let renewal = world.pool.grant(leased("one", 90), None);
            world.pass(0);
            renewal.try_take().unwrap().unwrap();
            renewed = second;
        }
        world.pass(1);
    }
    let register = world.log.clone().beat(&[]).unwrap();
    assert!(register.iter().all(|row| !row.is_ended()), "{register:?}");
    let passed = world.clock.elapsed().as_secs() - renewed;
    assert!((1..10).contains(&passed), "it was heard before, and not just now: {passed}");
    world.pass(91 - passed);
    assert_eq!(world.held().unwrap(), 0);
}

struct Away {
    log: MemoryLog,
    away: Arc<AtomicBool>,
    /// A server that beats between the moment it is found dead and its end.
    late: Arc<Mutex<Option<MemoryLog>>>,
}

impl Away {
    fn here(&mut self) -> Result<&mut MemoryLog, LogError> {
        if self.away.load(Ordering::SeqCst) {
            let source = "the test says so".into();
            return Err(LogError::Unavailable { action: "be here", source });
        }
        Ok(&mut self.log)
    }
}

impl Log for Away {
    fn turn(
        &mut self,
        asked: &[Asked],
        decide: &mut dyn FnMut(News) -> Turn,
    ) -> Result<(), TurnError> {
        self.here().map_err(TurnError::Dropped)?.turn(asked, decide)
    }

    fn landed(&mut self, mark: &Mark) -> Result<bool, LogError> {
        self.here()?.landed(mark)
    }

    fn catch_up(&mut self, asked: &[Asked]) -> Result<News, LogError> {
        self.here()?.catch_up(asked)
    }

    fn page(&mut self, ledger: LedgerId, after: u64, limit: usize) -> Result<Vec<Entry>, LogError> {
        self.here()?.page(ledger, after, limit)
    }

    fn figures(
        &mut self,
        ledger: LedgerId,
        days: Range<Timestamp>,
    ) -> Result<Vec<Figure>, LogError> {
        self.here()?.figures(ledger, days)
    }

    fn ledgers(&mut self) -> Result<Vec<LedgerNumbers>, LogError> {
        self.here()?.ledgers()
    }

    fn register(&mut self, server: Server) -> Result<u64, LogError> {
        self.here()?.register(server)
    }

    fn beat(&mut self, silences: &[Silence]) -> Result<Vec<ServerRow>, LogError> {
        self.here()?.beat(silences)
    }

    fn serving(&mut self, server: &ServerName) -> Result<Vec<LedgerId>, LogError> {
        if server.as_str() == "west"
            && let Some(mut late) = self.late.lock().unwrap().take()
        {
            late.beat(&[])?;
        }
        self.here()?.serving(server)
    }

    fn silences(&mut self, ledger: LedgerId) -> Result<Vec<Silence>, LogError> {
        self.here()?.silences(ledger)
    }

    fn credentials(&mut self) -> Result<Vec<KeptCredential>, LogError> {
        self.here()?.credentials()
    }

    fn keep_credential(&mut self, credential: &KeptCredential) -> Result<(), LogError> {
        self.here()?.keep_credential(credential)
    }

    fn leave(&mut self) -> Result<(), LogError> {
        self.here()?.leave()
    }

    fn format(&mut self) -> Result<u64, LogError> {
        self.here()?.format()
    }
}
