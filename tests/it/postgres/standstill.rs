//! What stands still: a process of ours in its turn, and the database itself. Nobody waits for ever,
//! nobody is granted what is not there, and all of it goes on by itself.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use license_pool::{Clock, Error, ManualClock, Pool, Seat, Session, SystemClock};

use super::connections::leased;
use super::server::{self, Server, until};
use crate::pool::world::{clock, holders, is_refused, license, options, retain};
use crate::processes::worker::Worker;

/// The clock of a machine that somebody set years back.
pub(super) struct WrongClock;

impl Clock for WrongClock {
    fn now(&self) -> Timestamp {
        "2001-01-01T00:00:00Z".parse().unwrap()
    }
    fn elapsed(&self) -> Duration {
        SystemClock.elapsed()
    }
    fn yields(&self) -> bool {
        SystemClock.yields()
    }
}

#[test]
fn a_frozen_process_that_has_the_turn_holds_the_others_for_seconds_only() {
    let Some(database) = server::database() else { return };
    let pool = database.open();
    pool.install(license("A", 1).as_bytes()).unwrap();
    for dies in [false, true] {
        let worker = Worker::start(&["turn", &database.address()]);
        assert_eq!(worker.next(), "turn");
        worker.signal("-STOP");
        // The database ends its transaction before anybody is told that it takes too long.
        let seat = retain(&pool, "0009", "one").unwrap();
        assert!(is_refused(retain(&pool, "0009", "two")));
        if dies {
            worker.kill();
        } else {
            worker.signal("-CONT");
            let told = worker.end();
            assert!(told[0].starts_with("failed "), "{told:?}");
        }
        seat.release().unwrap();
    }
    assert!(pool.check().unwrap().ledgers[0].sound);
}

#[test]
fn a_frozen_database_grants_nothing_ends_no_lease_and_is_used_again_when_it_goes_on() {
    let Some(server) = Server::start(&[]) else { return };
    let server = std::sync::Arc::new(server);
    let database = server.clone().database();
    let clock = clock();
    let options = Pool::options().clock(clock.clone()).server("east".parse().unwrap()).serving();
    let pool =
        options.open(&format!("{}?connections=2&connect_timeout=1", database.address())).unwrap();
    pool.install(license("A", 2).as_bytes()).unwrap();
    pool.grant(leased("one"), None).wait().unwrap();
    server.signal("-STOP");
    let error = retain_in_time(&pool, &clock, "two").unwrap_err();
    assert!(is_told(&error), "{error:?}");
    let error = pool.usage(None).unwrap_err();
    assert!(matches!(error, Error::StoreUnavailable(_)), "never from memory: {error:?}");
    let error = pool.renew("one", None).unwrap_err();
    assert!(matches!(error, Error::StoreUnavailable(_)), "{error:?}");
    clock.advance(SignedDuration::from_hours(1));
    server.signal("-CONT");
    until("it is used again", || pool.usage(None).is_ok());
    // What nobody knew of may have taken place since: to ask again takes no second seat.
    retain(&pool, "0009", "two").unwrap().keep();
    assert_eq!(holders(&pool), ["one", "two"], "no lease ran while nobody could renew it");
    clock.advance(SignedDuration::from_secs(80));
    assert_eq!(pool.renew("one", None).unwrap().held.len(), 1, "and began afresh");
    assert!(is_refused(retain(&pool, "0009", "three")));
    assert!(pool.check().unwrap().ledgers[0].sound);
}

/// Retains while the clock goes on: where all of a turn was sent at once, nobody knows what became of
/// it until the pool's patience ends, which goes by that clock.
pub(super) fn retain_in_time(
    pool: &Pool,
    clock: &ManualClock,
    session: &str,
) -> Result<Seat, Error> {
    let ann = Session::rest("ann", session, "127.0.0.1");
    let mut asked = Some(pool.retain_async("0009", session, ann));
    let mut told = None;
    until("somebody is told", || {
        clock.advance(SignedDuration::from_millis(10));
        match asked.take().expect("it is asked for once").try_take() {
            Ok(answer) => told = Some(answer),
            Err(pending) => asked = Some(pending),
        }
        told.is_some()
    });
    told.expect("somebody is told")
}

/// Whether this is what somebody hears whose store is away.
pub(super) fn is_told(error: &Error) -> bool {
    matches!(error, Error::StoreUnavailable(_) | Error::OutcomeUnknown(_))
}

#[test]
fn who_waits_gets_what_another_server_releases_long_before_its_wait_ends() {
    let Some(database) = server::database() else { return };
    let east = Pool::open(&database.address()).unwrap();
    let west = Pool::open(&database.address()).unwrap();
    east.install(license("A", 1).as_bytes()).unwrap();
    let mut slowest = Duration::ZERO;
    for round in 0..10 {
        let seat = retain(&east, "0009", "one").unwrap();
        let two = format!("two-{round}");
        let waits = west.grant(leased(&two), Some(Duration::from_secs(600)));
        // Asked after it, so it stands in line by now.
        west.usage(None).unwrap();
        seat.release().unwrap();
        let released = Instant::now();
        waits.wait().unwrap();
        slowest = slowest.max(released.elapsed());
        west.release(&two, None).unwrap();
    }
    println!("a release elsewhere woke who waited within {} ms", slowest.as_millis());
    assert!(slowest < Duration::from_secs(60), "{slowest:?}");
}

#[test]
fn a_serving_server_adopts_what_a_single_command_retained_though_nobody_asks() {
    let Some(database) = server::database() else { return };
    let east = Pool::options().server("east".parse().unwrap()).serving();
    let east = east.open(&database.address()).unwrap();
    east.install(license("A", 1).as_bytes()).unwrap();
    let local = options().local().open(&database.address()).unwrap();
    retain(&local, "0009", "one").unwrap().keep();
    let adopted = "SELECT count(*) FROM license.entry WHERE kind = 'adopted'";
    until("it is adopted", || database.sql(adopted) == "1");
    drop(east);
}

#[test]
fn entries_bear_the_time_of_the_database_whatever_the_machines_show() {
    let Some(database) = server::database() else { return };
    let pool =
        Pool::options().clock(std::sync::Arc::new(WrongClock)).open(&database.address()).unwrap();
    pool.install(license("A", 2).as_bytes()).unwrap();
    let ann = Session::rest("ann", "one", "127.0.0.1");
    pool.retain("0009", "one", ann).unwrap().keep();
    let near = "SELECT bool_and(abs(extract(epoch FROM now() - time::timestamptz)) < 3600)
        FROM license.entry";
    assert_eq!(database.sql(near), "t");
}
