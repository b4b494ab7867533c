//! Servers of one file: the lock of each shows at once who died, and nobody waits for a beat.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use license_pool::log::{Log, ServerRow, SqliteLog};
use license_pool::{
    Driver, Error, Event, ManualClock, Options, Pending, Pool, ReleaseCause, Session,
};

use super::cluster::leased;
use super::world::{Store, clock, license};

fn open(store: &Store, options: Options) -> (Pool, Driver) {
    open_by(&clock(), store, options)
}

fn open_by(clock: &Arc<ManualClock>, store: &Store, options: Options) -> (Pool, Driver) {
    let log = SqliteLog::open(&store.path(), true, Duration::from_secs(10)).unwrap();
    let (pool, mut driver) = options.clock(clock.clone()).open_driven(log).unwrap();
    driver.step();
    (pool, driver)
}

fn named(name: &str) -> Options {
    Pool::options().server(name.parse().unwrap()).serving()
}

fn ask<T>(
    (pool, driver): &mut (Pool, Driver),
    ask: impl FnOnce(&Pool) -> Pending<T>,
) -> Result<T, Error> {
    let mut pending = ask(pool);
    for _ in 0..10 {
        driver.step();
        pending = match pending.try_take() {
            Ok(answer) => return answer,
            Err(pending) => pending,
        };
    }
    panic!("no answer");
}

fn holders(server: &mut (Pool, Driver)) -> Vec<String> {
    let held = ask(server, |pool| pool.held_async(None)).unwrap();
    held.iter().map(|held| held.record.session.to_string()).collect()
}

/// A store with one license of one client, and who took it and died.
fn died(options: Options) -> Store {
    let store = Store::new();
    let mut dead = open(&store, options);
    ask(&mut dead, |pool| pool.install_with(license("A", 1).as_bytes(), Default::default()))
        .unwrap();
    let describe = Session::rest("ann", "one", "127.0.0.1");
    let seat = ask(&mut dead, |pool| pool.retain_async("0009", "one", describe)).unwrap();
    let (pool, driver) = dead;
    // As in a crash: nobody is told anything, and the operating system frees what it held.
    drop(driver);
    drop((seat, pool));
    store
}

#[test]
fn the_seat_of_a_process_that_died_is_free_for_whoever_asks_next() {
    for options in [Pool::options(), Pool::options().local(), named("east")] {
        let store = died(Pool::options());
        let mut next = open(&store, options);
        let granted = ask(&mut next, |pool| pool.grant(leased("two", 90), None)).unwrap();
        assert_eq!(granted.held.record.token.get(), 2);
        let page = ask(&mut next, |pool| pool.page(2, 10)).unwrap();
        let Event::Released(released) = &page[0].event else { panic!("{page:?}") };
        assert_eq!(released.cause, ReleaseCause::ServerLost);
    }
}

#[test]
fn who_died_while_another_ran_is_noticed_when_a_license_is_asked_for() {
    let (store, clock) = (Store::new(), clock());
    let mut east = open_by(&clock, &store, named("east"));
    ask(&mut east, |pool| pool.install_with(license("A", 1).as_bytes(), Default::default()))
        .unwrap();
    let mut run = open(&store, Pool::options());
    let describe = Session::rest("ann", "one", "127.0.0.1");
    let seat = ask(&mut run, |pool| pool.retain_async("0009", "one", describe)).unwrap();
    let grant = |east: &mut (Pool, Driver)| ask(east, |pool| pool.grant(leased("two", 90), None));
    assert!(grant(&mut east).is_err(), "it lives");
    let (run, driver) = run;
    drop(driver);
    drop((seat, run));
    clock.advance(jiff::SignedDuration::from_secs(1));
    grant(&mut east).unwrap();
}

#[test]
fn the_seat_of_a_process_that_died_goes_to_who_waits_and_is_free_though_nobody_asks() {
    let plain = Pool::options().server("east".parse().unwrap());
    for (options, wait) in [(plain, 30), (named("east"), 30), (named("east"), 0)] {
        let (store, clock) = (Store::new(), clock());
        let mut east = open_by(&clock, &store, options);
        ask(&mut east, |pool| pool.install_with(license("A", 1).as_bytes(), Default::default()))
            .unwrap();
        let mut run = open(&store, Pool::options());
        let describe = Session::rest("ann", "one", "127.0.0.1");
        let seat = ask(&mut run, |pool| pool.retain_async("0009", "one", describe)).unwrap();
        let wait = (wait > 0).then_some(Duration::from_secs(wait));
        let waits = wait.map(|_| east.0.grant(leased("two", 90), wait));
        let mut pass = |seconds| {
            for _ in 0..seconds * 10 {
                clock.advance(jiff::SignedDuration::from_millis(100));
                east.1.step();
            }
        };
        pass(2);
        let before = beat_of_east(&store);
        pass(5);
        assert_eq!(beat_of_east(&store), before, "nothing is written to look who lives");
        let (run, driver) = run;
        drop(driver);
        drop((seat, run));
        // A process that another test begins at this moment has its files for an instant.
        let until = std::time::Instant::now() + Duration::from_secs(60);
        while !rows(&store).iter().any(|row| row.transient && row.alive == Some(false)) {
            assert!(std::time::Instant::now() < until, "its files stay locked");
        }
        pass(1);
        let expected: &[&str] = if waits.is_some() { &["two"] } else { &[] };
        let mut command = open(&store, Pool::options().local());
        assert_eq!(holders(&mut command), expected);
        assert!(waits.is_none_or(|waits| waits.try_take().unwrap().unwrap().new));
    }
}

fn beat_of_east(store: &Store) -> u64 {
    rows(store).iter().find(|row| row.name.as_str() == "east").unwrap().beat
}

/// The register, as somebody else reads it.
fn rows(store: &Store) -> Vec<ServerRow> {
    let mut log = SqliteLog::open(&store.path(), false, Duration::from_secs(10)).unwrap();
    log.beat(&[]).unwrap()
}

#[test]
fn who_only_looks_who_lives_is_in_nobodys_way() {
    let store = Store::new();
    drop(open(&store, named("east")));
    let folder = store.path().with_file_name("license.db-servers");
    let file = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let started = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !started.load(Ordering::Relaxed) {
                let _ = File::open(&file).map(|file| file.try_lock_shared());
            }
        });
        for _ in 0..100 {
            let log = SqliteLog::open(&store.path(), true, Duration::from_secs(10)).unwrap();
            if let Err(error) = named("east").clock(clock()).open_driven(log) {
                started.store(true, Ordering::Relaxed);
                panic!("{error:?}");
            }
        }
        started.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_named_server_that_died_is_adopted_at_once_and_its_clients_hold_on() {
    let store = Store::new();
    let mut east = open(&store, named("east"));
    ask(&mut east, |pool| pool.install_with(license("A", 1).as_bytes(), Default::default()))
        .unwrap();
    ask(&mut east, |pool| pool.grant(leased("one", 90), None)).unwrap();
    drop(east);
    // Single commands leave it to a server.
    let mut command = open(&store, Pool::options().local());
    assert!(ask(&mut command, |pool| pool.grant(leased("two", 90), None)).is_err());
    assert_eq!(holders(&mut command), ["one"]);
    let mut west = open(&store, named("west"));
    assert_eq!(holders(&mut west), ["one"]);
    let held = ask(&mut west, |pool| pool.held_async(Some("west"))).unwrap();
    assert_eq!(held.len(), 1);
}

#[test]
fn a_serving_server_adopts_what_a_command_retained_within_100_milliseconds() {
    let (store, clock) = (Store::new(), clock());
    let (east, mut driver) = open_by(&clock, &store, named("east"));
    let installed = east.install_with(license("A", 9).as_bytes(), Default::default());
    driver.step();
    installed.try_take().unwrap().unwrap();
    driver.step();
    let mut command = open(&store, Pool::options().local());
    let describe = Session::rest("ann", "one", "127.0.0.1");
    ask(&mut command, |pool| pool.retain_async("0009", "one", describe)).unwrap().keep();
    let due = driver.step().unwrap();
    assert!(due <= Duration::from_millis(100), "{due:?}");
    clock.advance(jiff::SignedDuration::from_millis(100));
    driver.step();
    let held = ask(&mut command, |pool| pool.held_async(Some("east"))).unwrap();
    assert_eq!(held.len(), 1);
}
