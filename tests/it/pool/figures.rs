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

#[test]
fn a_clock_that_is_set_back_leaves_no_days_beyond_and_the_day_goes_on() {
    let store = Store::new();
    let clock = Arc::new(ManualClock::new("2026-01-05T08:00:00Z".parse().unwrap()));
    let open = |time: &str| {
        clock.set(time.parse().unwrap());
        Pool::options().local().clock(clock.clone()).open(&store.url()).unwrap()
    };
    let described = || Session::rest("ann", "job", "127.0.0.1");
    let pool = open("2026-01-05T08:00:00Z");
    pool.install(license("A", 2).as_bytes()).unwrap();
    pool.retain("0009", "job-1", described()).unwrap().keep();
    pool.close().wait().unwrap();
    // Nobody saw it jump: who starts believes its clock.
    let pool = open("2099-06-01T10:00:00Z");
    let seat = pool.retain("0009", "job-2", described()).unwrap();
    pool.retain("0009", "job-3", described()).unwrap_err();
    seat.release().unwrap();
    pool.close().wait().unwrap();
    let pool = open("2026-01-05T12:00:00Z");
    assert!(days(&pool).len() > 20_000, "all days until 2099");
    pool.correct_clock().wait().unwrap();
    let told = |pool: &Pool| -> Vec<String> {
        let told = |day: ProductDay| {
            let ProductDay { date, peak_used_count, retained, refused, .. } = day;
            format!("{date} {peak_used_count} {retained} {refused}")
        };
        days(pool).into_iter().map(told).collect()
    };
    assert_eq!(told(&pool), ["2026-01-05 2 2 1"]);
    clock.advance(SignedDuration::from_hours(24));
    pool.retain("0009", "job-4", described()).unwrap().release().unwrap();
    clock.advance(SignedDuration::from_hours(24));
    let expected = ["2026-01-05 2 2 1", "2026-01-06 2 1 0", "2026-01-07 1 0 0"];
    assert_eq!(told(&pool), expected);
    assert_eq!(days(&pool)[1].held_seconds.get(), 24 * 3600);
    // So it is for who reads a snapshot instead.
    pool.archive().unwrap();
    pool.close().wait().unwrap();
    assert_eq!(told(&open("2026-01-07T12:00:00Z")), expected);
}
