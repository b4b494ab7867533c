//! The history over HTTP: told to its end, or seen to break off.

use std::sync::Arc;

use jiff::SignedDuration;
use license_http::Options;
use license_pool::log::MemoryLog;
use license_pool::{Clock as _, ManualClock, Pool};
use license_tests::around::Outside;

use super::world::{SAMPLE, World};
use crate::pool::world::{Shortened, clock, retain};

/// A log of 1201 entries, which is more than two pages.
fn long(clock: &Arc<ManualClock>, log: MemoryLog) -> Pool {
    let pool = Pool::options().local().clock(clock.clone()).open_log(log).unwrap();
    pool.install(SAMPLE.as_bytes()).unwrap();
    for session in 0..600 {
        retain(&pool, "0009", &format!("job-{session}")).unwrap().release().unwrap();
    }
    pool
}

/// A server of such a log, of which only the last entry stays.
fn overtaken() -> World {
    let (clock, log) = (clock(), MemoryLog::default());
    drop(long(&clock, log.clone()));
    clock.advance(SignedDuration::from_hours(1));
    // While the second of its pages is read.
    let log = Outside(Shortened { log, clock: clock.clone(), reads: 2 });
    let pool = Pool::options().local().clock(clock).open_log(log).unwrap();
    World::over(pool, Options::new()).administered()
}

const HISTORY: &str = "/v1/licenses/active/history";

#[test]
fn a_history_of_which_entries_are_deleted_meanwhile_breaks_off_and_has_no_gap() {
    let world = overtaken();
    let mut history = world.ask("GET", HISTORY).follow();
    assert!(history.next().lines().count() < 1200);
    assert!(history.breaks_off());
    let again = world.get(HISTORY).expect(200);
    assert!(again.text.starts_with("{\"sequence\":1201,"), "{}", again.text);
    assert_eq!(again.text.lines().count(), 1);
}

#[test]
fn a_history_of_which_nothing_was_told_yet_begins_where_the_log_does() {
    let world = overtaken();
    let history = world.get(&format!("{HISTORY}?session=job-599")).expect(200);
    assert!(history.text.starts_with("{\"sequence\":1201,"), "{}", history.text);
}

#[test]
fn where_a_stream_broke_off_says_nothing_of_what_else_is_asked() {
    let world = World::sample();
    for last in ["1", "last"] {
        let history = world.ask("GET", HISTORY).header("last-event-id", last).send();
        assert_eq!(history.expect(200).text.lines().count(), 1, "{last}");
    }
}

#[test]
fn a_history_has_no_more_entries_than_were_asked_for_and_begins_after_the_one_named() {
    let world = World::over(long(&clock(), MemoryLog::default()), Options::new()).administered();
    for limit in [1, 2, 512, 513, 1200, 1201, 5000] {
        let history = world.get(&format!("{HISTORY}?limit={limit}")).expect(200);
        assert_eq!(history.text.lines().count(), limit.min(1201), "{limit}");
    }
    let history = world.get(&format!("{HISTORY}?after=1199&limit=1")).expect(200);
    assert!(history.text.starts_with("{\"sequence\":1200,"), "{}", history.text);
}

#[test]
fn a_parameter_that_is_given_twice_is_refused_whatever_it_says() {
    let world = World::sample();
    world.get(&format!("{HISTORY}?limit=1")).expect(200);
    for query in ["limit=1&limit=1", "limit=1&kind=installed&limit=2"] {
        let answer = world.get(&format!("{HISTORY}?{query}"));
        assert_eq!(answer.problem(), "400 bad_request", "{query}");
    }
}

#[test]
fn a_report_of_one_product_and_of_some_days_tells_nothing_of_others() {
    let world = World::sample();
    world.retain("0009", "job-7").expect(201);
    world.retain("0025", "job-7").expect(201);
    let told = |query: &str| -> Vec<u64> {
        let days = world.get(&format!("/v1/licenses/active/report{query}")).expect(200).value();
        days.as_array().unwrap().iter().map(|day| day["productId"].as_u64().unwrap()).collect()
    };
    assert_eq!(told(""), [808_464_441, 808_464_949]);
    assert_eq!(told("?product=0025"), [808_464_949]);
    let today = clock().now().to_string();
    let (today, _) = today.split_once('T').unwrap();
    assert_eq!(told(&format!("?product=0025&from={today}&to={today}")), [808_464_949]);
    assert!(told(&format!("?to={today}T00:00:00Z")).is_empty());
    assert!(told("?from=9999-01-01").is_empty());
}
