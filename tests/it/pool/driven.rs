//! Pools without a thread of their own: nothing happens but when they are driven.

use license_pool::log::MemoryLog;
use license_pool::{Error, Options, Session};

use super::world::{license, options};

fn session(name: &str) -> Session {
    Session::rest("ann", name, "127.0.0.1")
}

#[test]
fn a_driven_pool_does_nothing_by_itself_and_everything_in_a_step() {
    let (pool, mut driver) = options().open_driven(MemoryLog::default()).unwrap();
    let installed = pool.install_with(license("A", 1).as_bytes(), Default::default());
    let seat = pool.retain_async("0009", "one", session("one"));
    let (installed, seat) = (installed.try_take().unwrap_err(), seat.try_take().unwrap_err());
    assert!(driver.step().is_some());
    installed.try_take().unwrap().unwrap();
    let seat = seat.try_take().unwrap().unwrap();
    let refused = pool.retain_async("0009", "two", session("two"));
    drop(seat);
    let granted = pool.retain_async("0009", "three", session("three"));
    driver.step();
    assert!(matches!(refused.try_take().unwrap(), Err(Error::Refused(_))));
    let _seat = granted.try_take().unwrap().unwrap();
}

#[test]
fn a_driven_pool_ends_when_it_is_closed() {
    let (pool, mut driver) = options().open_driven(MemoryLog::default()).unwrap();
    let installed = pool.install_with(license("A", 1).as_bytes(), Default::default());
    let closed = pool.close();
    drop(pool);
    assert_eq!(driver.step(), None);
    installed.try_take().unwrap().unwrap();
    closed.try_take().unwrap().unwrap();
    assert_eq!(driver.step(), None);
}

#[test]
fn a_history_tells_of_a_seat_that_was_dropped_before_it_was_asked_for() {
    let (pool, mut driver) = options().open_driven(MemoryLog::default()).unwrap();
    drop(pool.install_with(license("A", 1).as_bytes(), Default::default()));
    let seat = pool.retain_async("0009", "one", session("one"));
    driver.step();
    drop(seat);
    let page = pool.page(0, 100);
    driver.step();
    assert_eq!(page.try_take().unwrap().unwrap().len(), 3);
}

#[test]
fn driven_pools_of_the_same_instances_write_the_same_log() {
    let run = |options: fn() -> Options| {
        let log = MemoryLog::default();
        let (east, mut driver) = options().instance(1).open_driven(log.clone()).unwrap();
        let (west, mut other) = options().instance(2).open_driven(log).unwrap();
        drop(east.install_with(license("A", 1).as_bytes(), Default::default()));
        driver.step();
        let seats = ["one", "two"].map(|name| west.retain_async("0009", name, session(name)));
        other.step();
        let page = east.page(0, 100);
        driver.step();
        drop(seats);
        page.try_take().unwrap().unwrap()
    };
    let (first, second) = (run(options), run(options));
    assert_eq!((first.len(), first), (3, second));
}
