//! Daily figures as the pool keeps them: told once, whoever ends the day.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use license_pool::{ManualClock, Pool, ProductDay, Session};
use rusqlite::Connection;

use super::world::{Store, license};

const ALWAYS: std::ops::Range<Timestamp> = Timestamp::MIN..Timestamp::MAX;

#[test]
fn servers_that_share_a_store_tell_each_day_once() {
    let store = Store::new();
    let clock = Arc::new(ManualClock::new("2026-01-05T22:00:00Z".parse().unwrap()));
    let pool = || Pool::options().clock(clock.clone()).open(&store.url()).unwrap();
    let (one, two) = (pool(), pool());
    one.install(license("A", 2).as_bytes()).unwrap();
    let described = || Session::rest("ann", "job", "127.0.0.1");
    let seat = one.retain("0009", "job-1", described()).unwrap();
    let mut expected = Vec::new();
    for (day, pool) in [(5, &two), (6, &one), (7, &two), (8, &two), (9, &one)] {
        let running = days(&one);
        clock.advance(SignedDuration::from_hours(24));
        drop(pool.retain("0009", "job-2", described()).unwrap());
        assert_eq!(running.last().unwrap().date.as_str(), format!("2026-01-{day:02}"));
        expected.push(format!("2026-01-{day:02}"));
        let told = days(&two);
        let dates: Vec<_> = told.iter().map(|day| day.date.to_string()).collect();
        assert_eq!(dates[..dates.len() - 1], expected[..]);
        assert_eq!(days(&one), told);
        assert_eq!(days(&pool.license("A")), told);
    }
    drop(seat);
    let file = Connection::open(store.path()).unwrap();
    let rows: u64 = file.query_row("SELECT count(*) FROM figure", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 5, "one for each day that ended");
    let held: u64 =
        file.query_row("SELECT sum(held_milliseconds) FROM figure", [], |row| row.get(0)).unwrap();
    assert_eq!(held, (2 + 4 * 24) * 3_600_000);
}

#[test]
fn what_runs_is_told_as_of_now_and_clipped_to_what_is_asked() {
    let clock = Arc::new(ManualClock::new("2026-01-05T12:00:00Z".parse().unwrap()));
    let pool = Pool::options().clock(clock.clone()).open("memory:").unwrap();
    assert_eq!(days(&pool), []);
    pool.install(license("A", 1).as_bytes()).unwrap();
    let seat = pool.retain("0009", "job-1", Session::rest("ann", "job", "127.0.0.1")).unwrap();
    clock.advance(SignedDuration::from_hours(72));
    let hours = |days: &[ProductDay]| -> Vec<u64> {
        days.iter().map(|day| day.held_seconds.get() / 3600).collect()
    };
    assert_eq!(hours(&days(&pool)), [12, 24, 24, 12]);
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    let clipped = pool.days(time("2026-01-06T05:00:00Z")..time("2026-01-08T00:00:00Z"));
    assert_eq!(hours(&clipped.wait().unwrap()), [24, 24]);
    drop(seat);
}

fn days(pool: &Pool) -> Vec<ProductDay> {
    pool.days(ALWAYS).wait().unwrap()
}
