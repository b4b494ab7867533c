//! The clock of the store: setting it gains nothing, and what depends on it is answered by nobody
//! until it shows which is right.

use jiff::{SignedDuration, Timestamp};
use license_pool::{Error, Pool};

use super::cluster::{Cluster, leased};
use super::world::license;

/// A license of two clients, one of which ends with the 20th.
fn expiring() -> String {
    license("A", 1).replace(
        r#""rights": ["#,
        r#""rights": [{"count": 1, "expirationDate": {"day": 20, "month": 1, "year": 2026}}, "#,
    )
}

fn cluster() -> Cluster {
    let cluster = Cluster::new(1, &["east"]);
    let document = expiring();
    let install = |pool: &Pool| pool.install_with(document.as_bytes(), Default::default());
    cluster.ask("east", install).unwrap();
    cluster
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The times of the entries after `after`, to the minute.
fn times(cluster: &Cluster, after: u64) -> Vec<String> {
    let page = cluster.ask("east", |pool| pool.page(after, 100)).unwrap();
    page.iter().map(|entry| entry.time.as_str()[..16].to_owned()).collect()
}

#[test]
fn a_clock_in_2099_for_a_minute_changes_nothing_but_what_hangs_on_it() {
    let cluster = cluster();
    cluster.grant("east", "one").unwrap();
    cluster.clock.set(at("2099-01-01T00:00:00Z"));
    let state = cluster.ask("east", Pool::clock_state).unwrap();
    assert_eq!(state.skew, Some(at("2099-01-01T00:00:00Z")));
    assert_eq!(state.now, at("2026-01-05T10:00:00Z"));
    // By the one clock there is a license left, by the other there is not.
    let skew = cluster.grant("east", "two").unwrap_err();
    assert!(matches!(skew, Error::ClockSkew { before, .. } if before == state.now), "{skew:?}");
    // Who holds one holds it by either clock.
    assert!(!cluster.grant("east", "one").unwrap().new);
    cluster.pass(60);
    cluster.clock.set(at("2026-01-05T10:01:00Z"));
    assert_eq!(cluster.ask("east", Pool::clock_state).unwrap().skew, None);
    cluster.grant("east", "two").unwrap();
    assert_eq!(times(&cluster, 2), ["2026-01-05T10:00", "2026-01-05T10:01"]);
}

#[test]
fn a_clock_that_stands_ahead_is_believed_in_the_end() {
    let cluster = cluster();
    cluster.clock.set(at("2026-02-01T00:00:00Z"));
    cluster.ask("east", |pool| pool.grant(leased("one", 3600), None)).unwrap();
    for passing in [0, 599] {
        cluster.pass(passing);
        assert!(matches!(cluster.grant("east", "two"), Err(Error::ClockSkew { .. })));
    }
    cluster.pass(1);
    assert!(matches!(cluster.grant("east", "two"), Err(Error::Refused(_))));
    assert_eq!(cluster.ask("east", Pool::clock_state).unwrap().skew, None);
}

#[test]
fn a_clock_set_back_across_an_expiry_brings_nothing_back() {
    let cluster = cluster();
    cluster.clock.advance(SignedDuration::from_hours(24 * 20));
    cluster.grant("east", "one").unwrap();
    cluster.clock.set(at("2025-01-05T10:00:00Z"));
    assert!(matches!(cluster.grant("east", "two"), Err(Error::Refused(_))));
    // Not after a restart either: the log knows what time it was.
    cluster.start("east");
    assert!(matches!(cluster.grant("east", "two"), Err(Error::Refused(_))));
    assert_eq!(times(&cluster, 2)[..2], ["2026-01-25T10:00", "2026-01-25T10:00"]);
}

#[test]
fn entries_go_on_with_the_time_that_passes_while_a_clock_is_behind() {
    let cluster = cluster();
    cluster.grant("east", "one").unwrap();
    cluster.clock.set(at("2020-01-05T10:00:00Z"));
    cluster.pass(60);
    cluster.ask("east", |pool| pool.release_async("one", None)).unwrap();
    assert_eq!(times(&cluster, 2), ["2026-01-05T10:00", "2026-01-05T10:01"]);
}

#[test]
fn at_start_the_clock_is_believed() {
    let cluster = cluster();
    cluster.clock.set(at("2026-02-01T00:00:00Z"));
    cluster.start("east");
    cluster.grant("east", "one").unwrap();
    assert_eq!(times(&cluster, 2), ["2026-02-01T00:00"]);
}

#[test]
fn an_administrator_says_which_clock_is_right() {
    let cluster = cluster();
    cluster.clock.set(at("2099-01-01T00:00:00Z"));
    cluster.start("east");
    cluster.grant("east", "one").unwrap();
    cluster.clock.set(at("2026-01-05T10:00:00Z"));
    assert!(matches!(cluster.grant("east", "two"), Err(Error::Refused(_))), "it expired in 2026");
    let state = cluster.ask("east", Pool::correct_clock).unwrap();
    assert_eq!((state.now, state.skew), (at("2026-01-05T10:00:00Z"), None));
    cluster.ask("east", |pool| pool.grant(leased("two", 90), None)).unwrap();
    assert_eq!(cluster.history("east", 4), ["east: clock corrected", "east: retained two"]);
    assert_eq!(times(&cluster, 4), ["2026-01-05T10:00", "2026-01-05T10:00"]);
}

#[test]
fn a_correction_holds_for_who_reads_the_license_later_too() {
    let cluster = cluster();
    // West believes a clock that is wrong, and was not asked for the license yet.
    cluster.clock.set(at("2099-01-01T00:00:00Z"));
    cluster.start("west");
    cluster.pass(10);
    cluster.clock.set(at("2026-01-05T10:01:00Z"));
    cluster.open("command", Pool::options().local());
    cluster.ask("command", Pool::correct_clock).unwrap();
    cluster.pass(60);
    cluster.ask("west", |pool| pool.grant(leased("one", 90), None)).unwrap();
    assert_eq!(times(&cluster, 3), ["2026-01-05T10:02"]);
}

#[test]
fn an_old_correction_brings_nothing_back() {
    let cluster = cluster();
    cluster.ask("east", Pool::correct_clock).unwrap();
    cluster.clock.advance(SignedDuration::from_hours(24 * 20));
    cluster.start("west");
    cluster.pass(60);
    cluster.clock.set(at("2026-01-10T10:00:00Z"));
    cluster.grant("west", "one").unwrap();
    let gone = cluster.grant("west", "two");
    assert!(matches!(gone, Err(Error::Refused(_))), "it expired with the 20th");
}

#[test]
fn what_one_server_corrected_the_others_believe() {
    let cluster = cluster();
    cluster.start("west");
    cluster.grant("west", "one").unwrap();
    cluster.clock.set(at("2026-03-01T00:00:00Z"));
    assert!(cluster.ask("west", Pool::clock_state).unwrap().skew.is_some());
    cluster.ask("east", Pool::correct_clock).unwrap();
    assert!(matches!(cluster.grant("west", "two"), Err(Error::Refused(_))));
    assert_eq!(cluster.ask("west", Pool::clock_state).unwrap().skew, None);
}
