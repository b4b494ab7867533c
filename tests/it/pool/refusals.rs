//! Refusals, folded: the first is an entry, repetitions are one, and so are those of whom there are
//! too many to name.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use license_pool::log::{Log, Mark, MemoryLog};
use license_pool::{
    Driver, Error, Event, Granted, ManualClock, Pending, Pool, ProductDay, RefusedEvent, Session,
};
use license_tests::around::Outside;

use super::batches::Gate;
use super::cluster::leased;
use super::faults::{Breaking, Failure};
use super::world::{is_refused, license, options, retain};

struct World {
    pool: Pool,
    driver: Driver,
    clock: Arc<ManualClock>,
}

impl World {
    /// The only license is held.
    fn new() -> World {
        World::on(MemoryLog::default())
    }

    /// A world on a store of which an operation fails once the countdown is set.
    fn failing() -> (World, Arc<AtomicU64>) {
        let (log, countdown) = (MemoryLog::default(), Arc::new(AtomicU64::new(0)));
        let landed = Box::new(|log: &mut MemoryLog, mark: &Mark| log.landed(mark));
        let (failure, countdown_of_log) = (Failure::Dropped, countdown.clone());
        let log = Breaking { log, failure, landed, countdown: countdown_of_log };
        (World::on(Outside(log)), countdown)
    }

    fn on(log: impl Log + 'static) -> World {
        let clock = Arc::new(ManualClock::new("2026-01-05T10:00:30Z".parse().unwrap()));
        let options = Pool::options().clock(clock.clone()).instance(1);
        let (pool, mut driver) = options.open_driven(log).unwrap();
        let installed = pool.install_with(license("A", 1).as_bytes(), Default::default());
        driver.step();
        installed.try_take().unwrap().unwrap();
        let mut world = World { pool, driver, clock };
        std::mem::forget(world.ask("0009", "held").unwrap());
        world
    }

    fn ask(&mut self, product: &str, session: &str) -> Result<license_pool::Seat, Error> {
        let session = self.pool.retain_async(product, session, Session::rest("ann", "s", "::1"));
        self.driver.step();
        session.try_take().unwrap()
    }

    /// Asks and waits for so many seconds.
    fn wait(&mut self, session: &str, seconds: u64) -> Pending<Granted> {
        let pending = self.pool.grant(leased(session, 90), Some(Duration::from_secs(seconds)));
        self.driver.step();
        pending
    }

    fn refuse(&mut self, product: &str, session: &str) {
        assert!(matches!(self.ask(product, session), Err(Error::Refused(_))));
    }

    fn release(&mut self, session: &str) {
        let released = self.pool.release_async(session, None);
        self.driver.step();
        released.try_take().unwrap().unwrap();
    }

    /// Lets time pass, and has done what is due then.
    fn pass(&mut self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
        self.driver.step();
    }

    fn days(&mut self) -> Vec<ProductDay> {
        let mut days = self.pool.days(Timestamp::MIN..Timestamp::MAX);
        loop {
            self.driver.step();
            match days.try_take() {
                Ok(told) => return told.unwrap(),
                // One question after the other.
                Err(pending) => days = pending,
            }
        }
    }

    /// The refusals that the log has.
    fn told(&mut self) -> Vec<String> {
        let page = self.pool.page(0, 100_000);
        self.driver.step();
        let page = page.try_take().unwrap().unwrap();
        let refused = page.into_iter().filter_map(|entry| match entry.event {
            Event::Refused(event) => Some(said(&event)),
            _ => None,
        });
        refused.collect()
    }
}

fn said(event: &RefusedEvent) -> String {
    let whom = match (&event.session_id, event.sessions) {
        (Some(session), _) => session.to_string(),
        (None, sessions) => format!("{} sessions", sessions.unwrap()),
    };
    let described = if event.description.is_some() { ", described" } else { "" };
    format!("{whom}: {} {} times{described}", event.code, event.times)
}

#[test]
fn the_first_refusal_is_an_entry_and_repetitions_are_one_when_the_minute_ends() {
    let mut world = World::new();
    for _ in 0..5 {
        world.refuse("0009", "S1");
        world.refuse("0009", "S2");
        world.refuse("0005", "S1");
    }
    world.refuse("0009", "S3");
    let first = [
        "S1: no_license_left 1 times, described",
        "S2: no_license_left 1 times, described",
        "S1: unknown_product 1 times, described",
        "S3: no_license_left 1 times, described",
    ];
    world.pass(28);
    assert_eq!(world.told(), first);
    assert!(world.driver.step().unwrap() <= Duration::from_secs(29));
    world.pass(1);
    let repeated = [
        "S1: unknown_product 4 times, described",
        "S1: no_license_left 4 times, described",
        "S2: no_license_left 4 times, described",
    ];
    assert_eq!(world.told(), [&first[..], &repeated[..]].concat());
    // Nothing more is told of that minute, and the next one begins anew.
    world.pass(60);
    assert_eq!(world.told().len(), 7);
    world.refuse("0009", "S1");
    assert_eq!(world.told().last().unwrap(), first[0]);
}

#[test]
fn who_was_granted_what_he_was_refused_again_and_again_did_not_go_without() {
    let mut world = World::new();
    for _ in 0..3 {
        world.refuse("0009", "S1");
    }
    world.release("held");
    std::mem::forget(world.ask("0009", "S1").unwrap());
    let told = ["S1: no_license_left 1 times, described", "S1: no_license_left 2 times, described"];
    assert_eq!(world.told(), told);
    world.release("S1");
    // The minute ends, and so does the time in which the session might have been granted it.
    world.pass(30);
    world.pass(600);
    assert_eq!(world.told(), told);
    let days = world.days();
    assert_eq!((days[0].refused.get(), days[0].true_refusals.get()), (3, 0));
}

#[test]
fn the_first_refusal_of_a_new_minute_is_an_entry_whatever_is_still_to_be_told() {
    let mut world = World::new();
    world.refuse("0009", "S1");
    world.refuse("0009", "S1");
    world.clock.advance(SignedDuration::from_secs(31));
    world.refuse("0009", "S1");
    let first = "S1: no_license_left 1 times, described";
    assert_eq!(world.told(), [first; 3]);
}

#[test]
fn what_was_repeated_until_the_end_of_a_day_counts_for_that_day() {
    let mut world = World::new();
    world.pass((13 * 60 + 59) * 60);
    for _ in 0..28 {
        world.pass(1);
        world.refuse("0009", "S1");
    }
    // The day is over when the pool is next asked something.
    world.pass(1);
    world.pass(60);
    assert_eq!(world.told().len(), 2);
    let days = world.days();
    let refused = days.iter().map(|day| (day.date.as_str(), day.refused.get()));
    assert_eq!(refused.collect::<Vec<_>>(), [("2026-01-05", 28), ("2026-01-06", 0)]);
}

#[test]
fn a_refusal_that_the_store_did_not_take_leaves_the_next_one_the_first() {
    let (mut world, countdown) = World::failing();
    countdown.store(1, Ordering::SeqCst);
    world.refuse("0009", "S1");
    assert_eq!(countdown.load(Ordering::SeqCst), 0, "the refusal met the failure");
    assert_eq!(world.told(), [""; 0]);
    world.refuse("0009", "S1");
    assert_eq!(world.told(), ["S1: no_license_left 1 times, described"]);
}

#[test]
fn what_was_counted_is_told_a_little_later_where_the_store_does_not_take_it() {
    let (mut world, countdown) = World::failing();
    (0..3).for_each(|_| world.refuse("0009", "S1"));
    world.pass(28);
    countdown.store(1, Ordering::SeqCst);
    world.pass(1);
    assert_eq!((countdown.load(Ordering::SeqCst), world.told().len()), (0, 1));
    world.pass(1);
    assert_eq!(world.told()[1..], ["S1: no_license_left 2 times, described"]);
}

#[test]
fn a_wait_in_vain_is_told_a_little_later_where_the_store_does_not_take_it() {
    // Either the store fails when it would be told, or when the session waited again.
    for waits_again in [false, true] {
        let (mut world, countdown) = World::failing();
        let first = world.wait("S1", 10);
        world.pass(10);
        assert!(matches!(first.try_take(), Ok(Err(Error::Refused(_)))));
        let again = waits_again.then(|| world.wait("S1", 14));
        world.pass(13);
        countdown.store(1, Ordering::SeqCst);
        world.pass(2);
        assert_eq!(countdown.load(Ordering::SeqCst), 0, "it met the failure");
        let again = again.map(|again| again.try_take().unwrap().unwrap_err());
        assert!(again.is_none_or(|error| matches!(error, Error::StoreUnavailable(_))));
        assert_eq!(world.told(), [""; 0]);
        world.pass(if waits_again { 15 } else { 1 });
        assert_eq!(world.told(), ["S1: no_license_left 1 times, described"]);
    }
}

#[test]
fn who_waits_goes_on_waiting_where_the_store_fails_meanwhile() {
    let (mut world, countdown) = World::failing();
    countdown.store(1, Ordering::SeqCst);
    let waits = world.wait("S1", 10);
    assert_eq!(countdown.load(Ordering::SeqCst), 0, "it met the failure");
    world.pass(9);
    let waits = waits.try_take().expect_err("its time is not over");
    world.pass(1);
    assert!(matches!(waits.try_take(), Ok(Err(Error::Refused(_)))));
}

#[test]
fn of_more_sessions_than_can_be_named_one_entry_tells() {
    let mut world = World::new();
    for round in 0..3 {
        for session in 0..130 {
            world.refuse("0009", &format!("S{session}"));
        }
        assert_eq!(world.told().len(), 100, "round {round}");
    }
    // Anybody can ask for products that nobody has.
    for product in 1000..1200 {
        world.refuse(&product.to_string(), "S1");
    }
    assert_eq!(world.told().len(), 200);
    world.pass(30);
    let told = world.told();
    let (repeated, others): (Vec<_>, Vec<_>) =
        told[200..].iter().partition(|told| told.starts_with('S'));
    assert_eq!(repeated.len(), 100);
    assert!(repeated.iter().all(|told| told.ends_with(": no_license_left 2 times, described")));
    assert_eq!(others[0], "30 sessions: no_license_left 90 times");
    assert!(others[1..].iter().all(|told| *told == "1 sessions: unknown_product 1 times"));
    assert_eq!(others.len(), 100, "of more products nothing is told");
}

#[test]
fn what_was_counted_is_told_when_the_pool_ends() {
    let log = MemoryLog::default();
    let pool = options().open_log(log.clone()).unwrap();
    pool.install(license("A", 1).as_bytes()).unwrap();
    let seat = retain(&pool, "0009", "held").unwrap();
    for _ in 0..3 {
        assert!(is_refused(retain(&pool, "0009", "S1")));
    }
    drop((seat, pool));
    let pool = options().open_log(log).unwrap();
    let times = pool.history().filter_map(|entry| match entry.unwrap().event {
        Event::Refused(event) => Some(event.times.get()),
        _ => None,
    });
    assert_eq!(times.collect::<Vec<_>>(), [1, 2]);
    let days = pool.days(Timestamp::MIN..Timestamp::MAX).wait().unwrap();
    assert_eq!((days[0].refused.get(), days[0].sessions_refused.get()), (3, 1));
}

#[test]
fn who_is_refused_need_not_wait_for_the_disk() {
    let (gate, log) = Gate::new();
    let pool = options().open_log(log).unwrap();
    pool.install(license("A", 1).as_bytes()).unwrap();
    let seat = retain(&pool, "0009", "held").unwrap();
    gate.hold_commit();
    let described = || Session::rest("ann", "s", "::1");
    let refused = pool.retain_async("0009", "S1", described());
    // The turn has decided, and its entry is not written yet.
    gate.entered();
    assert!(is_refused(refused.wait()));
    // Who asks now waits for the turn.
    let granted = pool.retain_async("0009", "held", described());
    assert!(granted.try_take().is_err());
    gate.open();
    drop(seat);
}
