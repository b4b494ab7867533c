//! Waiting for a license: first come, first served, on each server.

use std::time::Duration;

use jiff::Timestamp;
use license_pool::{Error, Event, Granted, Pending, Pool, Refusal, Retain};

use super::cluster::{Cluster, leased};

/// Asks and waits for 30 seconds.
fn wait(cluster: &Cluster, server: &str, retain: Retain) -> Pending<Granted> {
    let pending = cluster.pool(server).grant(retain, Some(Duration::from_secs(30)));
    cluster.step(server);
    pending
}

fn is_none_left(answer: Result<Granted, Error>) -> bool {
    matches!(answer, Err(Error::Refused(Refusal::NoLicenseLeft { .. })))
}

/// What became of those who wait.
fn outcome(pending: Pending<Granted>) -> Result<Result<Granted, Error>, Pending<Granted>> {
    pending.try_take()
}

fn release(cluster: &Cluster, server: &str, session: &str) {
    cluster.ask(server, |pool| pool.release_async(session, None)).unwrap();
}

#[test]
fn who_waits_gets_the_license_when_it_is_released_here_or_elsewhere() {
    for releases in ["east", "west"] {
        let cluster = Cluster::new(1, &["east", "west"]);
        cluster.grant("west", "one").unwrap();
        let two = outcome(wait(&cluster, "east", leased("two", 90))).unwrap_err();
        cluster.pass(10);
        let two = outcome(two).unwrap_err();
        release(&cluster, releases, "one");
        cluster.clock.advance(jiff::SignedDuration::from_millis(100));
        cluster.step("east");
        let granted = outcome(two).unwrap().unwrap();
        assert_eq!((granted.new, granted.held.record.token.get()), (true, 2));
        assert!(cluster.history("east", 2).iter().all(|line| !line.contains("refused")));
    }
}

#[test]
fn a_wait_that_ends_is_refused_and_recorded_once() {
    let cluster = Cluster::new(1, &["east"]);
    let seat = cluster.ask("east", |pool| pool.retain_with(leased("one", 90))).unwrap();
    let two = wait(&cluster, "east", leased("two", 90));
    cluster.pass(29);
    let two = outcome(two).unwrap_err();
    assert_eq!(cluster.history("east", 2).len(), 0);
    cluster.pass(1);
    assert!(is_none_left(outcome(two).unwrap()));
    cluster.pass(14);
    assert_eq!(waited(&cluster), [], "it may ask again");
    cluster.pass(60);
    assert_eq!(waited(&cluster), [Some(30)]);
    drop(seat);
}

/// How long those waited who were refused.
fn waited(cluster: &Cluster) -> Vec<Option<u64>> {
    let page = cluster.ask("east", |pool| pool.page(0, 100)).unwrap();
    let waited = page.iter().filter_map(|entry| match &entry.event {
        Event::Refused(refused) => Some(refused.waited_seconds.map(|waited| waited.get())),
        _ => None,
    });
    waited.collect()
}

#[test]
fn a_wait_of_several_requests_is_recorded_once_and_never_if_it_was_granted() {
    for (granted, by_waiting) in [(false, true), (true, true), (true, false)] {
        let cluster = Cluster::new(1, &["east"]);
        let seat = cluster.ask("east", |pool| pool.retain_with(leased("one", 90))).unwrap();
        for _ in 0..3 {
            let two = wait(&cluster, "east", leased("two", 90));
            cluster.pass(30);
            assert!(is_none_left(outcome(two).unwrap()));
            cluster.pass(5);
        }
        assert_eq!(waited(&cluster), []);
        if granted {
            drop(seat);
            cluster.step("east");
            let patience = by_waiting.then_some(Duration::from_secs(30));
            cluster.ask("east", |pool| pool.grant(leased("two", 90), patience)).unwrap();
        }
        cluster.pass(80);
        let expected: &[_] = if granted { &[] } else { &[Some(100)] };
        assert_eq!(waited(&cluster), expected);
    }
}

#[test]
fn a_wait_that_is_counted_with_other_refusals_is_told_with_them() {
    let cluster = Cluster::new(1, &["east"]);
    cluster.grant("east", "one").unwrap();
    // In one minute: refused at once, then after a wait of 20 seconds.
    let refused = cluster.ask("east", |pool| pool.grant(leased("two", 90), None));
    assert!(is_none_left(refused));
    let patience = Some(Duration::from_secs(20));
    let waits = cluster.pool("east").grant(leased("two", 90), patience);
    cluster.step("east");
    cluster.pass(20);
    assert!(is_none_left(outcome(waits).unwrap()));
    cluster.pass(16);
    let refused = cluster.ask("east", |pool| pool.grant(leased("two", 90), None));
    assert!(is_none_left(refused));
    cluster.pass(60);
    assert_eq!(waited(&cluster), [None, Some(20)]);
}

#[test]
fn a_wait_that_ended_is_recorded_before_the_pool_ends_and_may_go_on_elsewhere() {
    for goes_on in [false, true] {
        let cluster = Cluster::new(1, &["east", "west"]);
        let seat = cluster.ask("east", |pool| pool.retain_with(leased("one", 90))).unwrap();
        let two = wait(&cluster, "west", leased("two", 90));
        cluster.pass(30);
        assert!(is_none_left(outcome(two).unwrap()));
        drop(cluster.pool("west").close());
        cluster.step("west");
        assert_eq!(waited(&cluster), [None], "west does not know how long it will have been");
        if goes_on {
            let two = wait(&cluster, "east", leased("two", 90));
            drop(seat);
            cluster.pass(1);
            outcome(two).unwrap().unwrap();
        }
        cluster.pass(5 * 60);
        let days = cluster.ask("east", |pool| pool.days(Timestamp::MIN..Timestamp::MAX)).unwrap();
        let [day] = &days[..] else { panic!("one product on one day, not {days:?}") };
        let figures = (day.refused.get(), day.true_refusals.get());
        assert_eq!(figures, (1, u64::from(!goes_on)));
    }
}

#[test]
fn a_session_waits_once_however_often_it_asks() {
    let cluster = Cluster::new(1, &["east"]);
    cluster.grant("east", "one").unwrap();
    let asks: Vec<_> = (0..1200)
        .map(|_| cluster.pool("east").grant(leased("two", 90), Some(Duration::from_secs(60))))
        .collect();
    let three = wait(&cluster, "east", leased("three", 90));
    cluster.pass(10);
    release(&cluster, "east", "one");
    cluster.pass(1);
    let tokens = asks.into_iter().map(|ask| outcome(ask).unwrap().unwrap().held.record.token.get());
    assert!(tokens.eq([2; 1200]));
    assert!(outcome(three).is_err(), "there is place for others behind it");
}

#[test]
fn a_wait_that_ends_while_another_of_its_session_goes_on_is_not_recorded() {
    let cluster = Cluster::new(1, &["east"]);
    cluster.grant("east", "one").unwrap();
    let short = wait(&cluster, "east", leased("two", 90));
    let long = cluster.pool("east").grant(leased("two", 90), Some(Duration::from_secs(600)));
    cluster.pass(30);
    assert!(is_none_left(outcome(short).unwrap()));
    cluster.pass(20);
    release(&cluster, "east", "one");
    cluster.pass(20);
    assert!(outcome(long).unwrap().unwrap().new);
    assert_eq!(waited(&cluster), []);
}

#[test]
fn a_place_is_kept_for_as_long_from_each_request_on() {
    let cluster = Cluster::new(1, &["east"]);
    cluster.grant("east", "one").unwrap();
    let seat = cluster.ask("east", |pool| pool.retain_with(leased("one", 90))).unwrap();
    for patience in [30, 5] {
        let wait = Some(Duration::from_secs(patience));
        let two = cluster.pool("east").grant(leased("two", 90), wait);
        cluster.step("east");
        cluster.pass(patience);
        assert!(is_none_left(outcome(two).unwrap()));
    }
    // Without the second request its place would be lost by now.
    cluster.pass(14);
    assert_eq!(waited(&cluster), []);
    cluster.pass(1);
    assert_eq!(waited(&cluster), [Some(35)]);
    drop(seat);
}

#[test]
fn who_got_it_at_another_server_meanwhile_waits_no_longer() {
    let cluster = Cluster::new(1, &["east", "west"]);
    cluster.grant("west", "two").unwrap();
    let one = wait(&cluster, "east", leased("one", 90));
    release(&cluster, "west", "two");
    cluster.grant("west", "one").unwrap();
    cluster.pass(1);
    assert!(!outcome(one).unwrap().unwrap().new);
}

#[test]
fn who_keeps_a_place_is_never_one_too_many() {
    let cluster = Cluster::new(0, &["east"]);
    let early = wait(&cluster, "east", leased("early", 90));
    cluster.pass(30);
    assert!(is_none_left(outcome(early).unwrap()));
    let ask = |n: usize| {
        let retain = leased(&format!("s{n}"), 90);
        cluster.pool("east").grant(retain, Some(Duration::from_secs(30)))
    };
    let crowd: Vec<_> = (0..1000).map(ask).collect();
    cluster.pass(1);
    let early = wait(&cluster, "east", leased("early", 90));
    let late = wait(&cluster, "east", leased("late", 90));
    assert!(outcome(early).is_err(), "it waits");
    assert!(matches!(outcome(late), Ok(Err(Error::QueueFull { waiting: 1001 }))));
    drop(crowd);
}

#[test]
fn a_newcomer_never_overtakes_a_waiter() {
    let cluster = Cluster::new(1, &["east"]);
    cluster.grant("east", "one").unwrap();
    let first = wait(&cluster, "east", leased("first", 90));
    let second = wait(&cluster, "east", leased("second", 90));
    // All in one turn: the license is free for a moment, and somebody new asks for it.
    let released = cluster.pool("east").release_async("one", None);
    let newcomer = cluster.pool("east").grant(leased("newcomer", 90), None);
    cluster.step("east");
    released.try_take().unwrap().unwrap();
    assert!(is_none_left(outcome(newcomer).unwrap()));
    outcome(first).unwrap().unwrap();
    let second = outcome(second).unwrap_err();
    release(&cluster, "east", "first");
    cluster.step("east");
    outcome(second).unwrap().unwrap();
}

#[test]
fn who_waits_for_one_product_is_in_nobodys_way_for_another() {
    let cluster = Cluster::new(1, &["east"]);
    let document = super::world::license("A", 1).replace(
        r#""rights""#,
        r#""rights": [{"count": 1}]}, {"id": 808464437, "name": "Desktop", "usedCount": 0,
           "allowedCount": 1, "rights""#,
    );
    let install = |pool: &Pool| pool.install_with(document.as_bytes(), Default::default());
    cluster.ask("east", install).unwrap();
    cluster.grant("east", "one").unwrap();
    let waiting = wait(&cluster, "east", leased("two", 90));
    let mut other = leased("three", 90);
    other.product = "0005".parse().unwrap();
    cluster.ask("east", |pool| pool.grant(other, None)).unwrap();
    assert!(outcome(waiting).is_err());
}

#[test]
fn a_session_that_asks_again_keeps_its_place_for_a_while() {
    for (pause, first) in [(14, "early"), (16, "late")] {
        let cluster = Cluster::new(1, &["east"]);
        let seat = cluster.ask("east", |pool| pool.retain_with(leased("one", 90))).unwrap();
        let early = wait(&cluster, "east", leased("early", 90));
        cluster.pass(10);
        let pending =
            cluster.pool("east").grant(leased("late", 90), Some(Duration::from_secs(600)));
        cluster.pass(20);
        assert!(is_none_left(outcome(early).unwrap()));
        cluster.pass(pause);
        let early = wait(&cluster, "east", leased("early", 90));
        drop(seat);
        cluster.pass(1);
        assert_eq!(cluster.holders("east"), [first], "after {pause}");
        drop((early, pending));
    }
}

#[test]
fn who_gives_up_is_granted_nothing() {
    let cluster = Cluster::new(1, &["east"]);
    cluster.grant("east", "one").unwrap();
    drop(wait(&cluster, "east", leased("two", 90)));
    cluster.step("east");
    release(&cluster, "east", "one");
    cluster.pass(16);
    assert!(cluster.holders("east").is_empty());
    let last = cluster.history("east", 2);
    assert_eq!(last.iter().filter(|line| line.ends_with("refused")).count(), 1, "{last:?}");
}

#[test]
fn who_has_gone_gets_nothing_of_what_comes_free_before_that_is_noticed() {
    let cluster = Cluster::new(1, &["east"]);
    cluster.grant("east", "one").unwrap();
    drop(wait(&cluster, "east", leased("two", 90)));
    release(&cluster, "east", "one");
    cluster.pass(1);
    assert_eq!(cluster.history("east", 2), ["east: released one released"]);
}

#[test]
fn a_wait_ends_in_time_also_behind_one_that_goes_on() {
    let cluster = Cluster::new(1, &["east"]);
    cluster.grant("east", "one").unwrap();
    let first = wait(&cluster, "east", leased("first", 90));
    let second = cluster.pool("east").grant(leased("second", 90), Some(Duration::from_secs(10)));
    cluster.pass(10);
    assert!(is_none_left(outcome(second).unwrap()));
    assert!(outcome(first).is_err(), "its wait is not over");
}

#[test]
fn a_wait_for_what_would_never_come_ends_at_once() {
    let cluster = Cluster::new(1, &["east"]);
    let mut unknown = leased("one", 90);
    unknown.product = "0042".parse().unwrap();
    let answer = outcome(wait(&cluster, "east", unknown)).unwrap();
    assert!(matches!(answer, Err(Error::Refused(Refusal::UnknownProduct { .. }))));
    assert_eq!(waited(&cluster), [None], "it did not wait at all");
    // And who holds it already need not wait.
    cluster.grant("east", "one").unwrap();
    assert!(!outcome(wait(&cluster, "east", leased("one", 90))).unwrap().unwrap().new);
}

#[test]
fn no_more_wait_than_can_be_served() {
    let cluster = Cluster::new(0, &["east"]);
    let ask = |n: usize| {
        let retain = leased(&format!("s{n}"), 90);
        cluster.pool("east").grant(retain, Some(Duration::from_secs(30)))
    };
    let waiting: Vec<_> = (0..1001).map(ask).collect();
    for _ in 0..4 {
        cluster.step("east");
    }
    let mut answers = waiting.into_iter().map(outcome);
    assert!(answers.by_ref().take(1000).all(|answer| answer.is_err()));
    let full = answers.next().unwrap();
    assert!(matches!(full, Ok(Err(Error::QueueFull { waiting: 1000 }))), "{full:?}");
}

#[test]
fn one_principal_leaves_room_for_others_to_wait() {
    let cluster = Cluster::new(0, &["east"]);
    let ask = |principal: &str, n: usize| {
        let pool = cluster.pool("east").acting_for(principal.parse().unwrap());
        let retain = leased(&format!("{principal}-{n}"), 90);
        pool.grant(retain, Some(Duration::from_secs(30)))
    };
    let of_ann: Vec<_> = (0..501).map(|n| ask("ann", n)).collect();
    let of_eve = ask("eve", 0);
    for _ in 0..4 {
        cluster.step("east");
    }
    let mut answers = of_ann.into_iter().map(outcome);
    assert!(answers.by_ref().take(500).all(|answer| answer.is_err()));
    let full = answers.next().unwrap();
    assert!(matches!(full, Ok(Err(Error::QueueFull { waiting: 500 }))), "{full:?}");
    assert!(outcome(of_eve).is_err(), "she waits");
}

#[test]
fn who_waits_is_told_when_the_pool_ends() {
    let cluster = Cluster::new(1, &["east"]);
    cluster.grant("east", "one").unwrap();
    let two = wait(&cluster, "east", leased("two", 90));
    let watch = cluster.pool("east").watch(99);
    drop(cluster.pool("east").close());
    cluster.step("east");
    assert!(matches!(outcome(two).unwrap(), Err(Error::Closed)));
    assert!(matches!(watch.try_take().unwrap(), Err(Error::Closed)));
}

#[test]
fn a_watch_ends_when_the_log_goes_on() {
    let cluster = Cluster::new(9, &["east", "west"]);
    let east = cluster.pool("east").watch(1);
    let already = cluster.pool("west").watch(0);
    cluster.pass(20);
    assert_eq!(already.try_take().unwrap().unwrap().sequence, 1);
    let east = east.try_take().unwrap_err();
    cluster.grant("west", "one").unwrap();
    cluster.clock.advance(jiff::SignedDuration::from_millis(100));
    cluster.step("east");
    assert_eq!(east.try_take().unwrap().unwrap().sequence, 2);
    let own = cluster.pool("east").watch(2);
    cluster.grant("east", "two").unwrap();
    assert_eq!(own.try_take().unwrap().unwrap().sequence, 3);
}
