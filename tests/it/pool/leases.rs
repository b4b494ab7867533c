//! Leases: counted by no clock that can be set, fair to who could not be heard, and never for ever.

use std::time::Duration;

use jiff::SignedDuration;
use license_pool::log::{LedgerId, Log as _, Silence};
use license_pool::{Error, Pool, Refusal, Release, Retain, Session, SessionState, Target};

use super::cluster::{Cluster, leased};

#[test]
fn a_session_that_is_not_heard_is_released_at_its_lease_and_not_before() {
    let cluster = Cluster::new(9, &["east"]);
    let granted = cluster.grant("east", "one").unwrap();
    let lease = granted.lease.unwrap();
    assert_eq!((lease.lease_seconds.get(), lease.renew_after_seconds.get()), (90, 30));
    assert_eq!(lease.expires_at.as_str(), "2026-01-05T10:01:30.000Z");
    cluster.pass(89);
    assert_eq!(cluster.holders("east"), ["one"]);
    cluster.pass(1);
    assert!(cluster.holders("east").is_empty());
    assert_eq!(cluster.history("east", 2), ["east: released one lease_expired"]);
}

#[test]
fn a_session_that_renews_holds_on_and_leaves_no_entry() {
    let cluster = Cluster::new(9, &["east"]);
    cluster.grant("east", "one").unwrap();
    for _ in 0..10 {
        cluster.pass(80);
        let renewed = cluster.renew("east", "one").unwrap();
        assert_eq!(renewed.held[0].lease.as_ref().unwrap().lease_seconds.get(), 90);
    }
    assert_eq!(cluster.history("east", 0).len(), 2);
    cluster.pass(89);
    let held = cluster.ask("east", |pool| pool.session("one".parse().unwrap())).unwrap();
    let lease = held.held[0].lease.clone().unwrap();
    // Who only looks renews nothing.
    assert_eq!(lease.expires_at.as_str(), "2026-01-05T10:14:50.000Z");
    cluster.pass(1);
    assert!(cluster.holders("east").is_empty());
    let gone = cluster.renew("east", "one").unwrap_err();
    assert!(matches!(gone, Error::Refused(Refusal::NotRetained { .. })));
}

#[test]
fn asking_again_renews_with_the_lease_that_was_fixed_first() {
    let cluster = Cluster::new(9, &["east"]);
    cluster.ask("east", |pool| pool.grant(leased("one", 30), None)).unwrap();
    cluster.pass(29);
    let again = cluster.ask("east", |pool| pool.grant(leased("one", 900), None)).unwrap();
    assert_eq!((again.new, again.lease.unwrap().lease_seconds.get()), (false, 30));
    cluster.pass(29);
    assert_eq!(cluster.holders("east"), ["one"]);
    cluster.pass(1);
    assert!(cluster.holders("east").is_empty());
}

#[test]
fn clocks_that_are_wrong_do_not_matter() {
    let cluster = Cluster::new(9, &["east"]);
    cluster.grant("east", "one").unwrap();
    for wrong in ["2099-01-01T00:00:00Z", "1999-01-01T00:00:00Z"] {
        cluster.clock.set(wrong.parse().unwrap());
        cluster.pass(44);
        assert_eq!(cluster.holders("east"), ["one"]);
    }
    cluster.pass(2);
    assert!(cluster.holders("east").is_empty());
}

#[test]
fn a_session_that_sleeps_is_kept_for_two_days_and_one_that_wakes_is_not() {
    let cluster = Cluster::new(9, &["east"]);
    for session in ["one", "two"] {
        cluster.grant("east", session).unwrap();
        cluster.tell("east", session, SessionState::Sleeping);
    }
    cluster.pass(172_790);
    cluster.tell("east", "two", SessionState::Active);
    cluster.pass(9);
    assert_eq!(cluster.holders("east"), ["one", "two"]);
    cluster.pass(1);
    assert_eq!(cluster.holders("east"), ["two"]);
    cluster.pass(80);
    assert!(cluster.holders("east").is_empty());
}

/// Servers whose license offers 0009, and 0005 as well.
fn of_two_products(servers: &[&'static str]) -> Cluster {
    let cluster = Cluster::new(9, servers);
    let document = super::world::license("A", 9).replace(
        r#""rights""#,
        r#""rights": [{"count": 9}]}, {"id": 808464437, "name": "Desktop", "usedCount": 0,
           "allowedCount": 9, "rights""#,
    );
    let install = |pool: &Pool| pool.install_with(document.as_bytes(), Default::default());
    cluster.ask(servers[0], install).unwrap();
    cluster
}

/// What session `one` asks of 0005.
fn desktop(lease_seconds: u64) -> Retain {
    Retain { product: "0005".parse().unwrap(), ..leased("one", lease_seconds) }
}

#[test]
fn each_of_a_sessions_licenses_ends_by_its_own_lease() {
    let cluster = of_two_products(&["east"]);
    cluster.ask("east", |pool| pool.grant(leased("one", 900), None)).unwrap();
    cluster.ask("east", |pool| pool.grant(desktop(20), None)).unwrap();
    cluster.pass(19);
    assert_eq!(cluster.holders("east"), ["one", "one"]);
    cluster.pass(1);
    assert_eq!(cluster.holders("east"), ["one"]);
    cluster.pass(879);
    assert_eq!(cluster.holders("east"), ["one"]);
    cluster.pass(1);
    assert!(cluster.holders("east").is_empty());
}

#[test]
fn a_session_that_sleeps_is_kept_for_no_less_than_its_lease() {
    let cluster = Cluster::new(9, &["east"]);
    cluster.start_with("east", |options| options.serving().sleep(Duration::from_secs(20)));
    cluster.grant("east", "one").unwrap();
    cluster.tell("east", "one", SessionState::Sleeping);
    cluster.pass(89);
    assert_eq!(cluster.holders("east"), ["one"]);
    cluster.pass(1);
    assert!(cluster.holders("east").is_empty());
}

#[test]
fn who_only_looks_at_a_session_does_not_fetch_it() {
    let cluster = Cluster::new(9, &["east", "west"]);
    cluster.grant("east", "one").unwrap();
    let seen = cluster.ask("west", |pool| pool.session("one".parse().unwrap())).unwrap();
    assert_eq!(seen.held.len(), 1);
    assert_eq!(cluster.history("west", 2), [""; 0]);
}

#[test]
fn of_a_silence_nothing_is_left_once_it_is_told_otherwise_or_nothing_is_held() {
    let cluster = of_two_products(&["east"]);
    let silent = || {
        let silences = cluster.log.clone().silences(LedgerId(1)).unwrap();
        silences.iter().map(|silence| silence.token.get()).collect::<Vec<_>>()
    };
    let release = |product: &str| {
        let product = Some(product.parse().unwrap());
        cluster.ask("east", |pool| pool.release_async("one", product)).unwrap();
    };
    for product in ["0009", "0005"] {
        let mut retain = leased("one", 90);
        retain.product = product.parse().unwrap();
        cluster.ask("east", |pool| pool.grant(retain, None)).unwrap();
    }
    cluster.pass(50);
    assert_eq!(silent(), [2]);
    release("0005");
    cluster.pass(31);
    assert_eq!(silent(), [1]);
    release("0009");
    cluster.pass(31);
    assert_eq!(silent(), [0; 0]);
}

#[test]
fn a_session_that_comes_by_asking_for_a_license_brings_the_leases_of_its_others() {
    for held_before in [true, false] {
        let cluster = of_two_products(&["east", "west"]);
        if held_before {
            cluster.ask("east", |pool| pool.grant(leased("one", 900), None)).unwrap();
        }
        cluster.ask("east", |pool| pool.grant(desktop(20), None)).unwrap();
        let granted = cluster.ask("west", |pool| pool.grant(leased("one", 900), None)).unwrap();
        assert_eq!(granted.new, !held_before);
        cluster.pass(19);
        assert_eq!(cluster.holders("west"), ["one", "one"]);
        cluster.pass(1);
        assert_eq!(cluster.holders("west"), ["one"]);
    }
}

#[test]
fn a_silence_that_ended_elsewhere_is_not_counted_when_the_last_license_is_given_back() {
    // The session goes to another server; or its own server dies before it can say that it was heard.
    for server in ["west", "east"] {
        let cluster = of_two_products(&["east", "west"]);
        let granted = cluster.ask("east", |pool| pool.grant(desktop(90), None)).unwrap();
        let (ledger, token) = (LedgerId(1), granted.held.record.token);
        let told = [Silence { ledger, token, silent: Duration::from_secs(60) }];
        if server == "west" {
            cluster.log.clone().beat(&told).unwrap();
        }
        let last = cluster.ask(server, |pool| pool.grant(leased("one", 90), None)).unwrap();
        if server == "east" {
            cluster.log.clone().beat(&told).unwrap();
            cluster.start(server);
        }
        cluster.pass(1);
        let last = Release::new(Target::Token(last.held.record.token));
        cluster.ask(server, |pool| pool.release_with(last)).unwrap();
        cluster.renew(server, "one").unwrap();
        cluster.start(server);
        cluster.pass(89);
        assert_eq!(cluster.holders(server), ["one"]);
    }
}

#[test]
fn a_seat_needs_no_renewal_even_of_a_lease() {
    let cluster = Cluster::new(9, &["east"]);
    let seat = cluster.ask("east", |pool| pool.retain_with(leased("one", 90))).unwrap();
    cluster.pass(1000);
    assert_eq!(cluster.holders("east"), ["one"]);
    seat.keep();
    let seat = cluster.ask("east", |pool| pool.retain_with(leased("two", 90))).unwrap();
    drop(seat);
    cluster.pass(1000);
    assert_eq!(cluster.holders("east"), ["one"], "who keeps a seat keeps it until it is released");
}

#[test]
fn a_server_that_was_frozen_gives_everybody_the_time_to_be_heard() {
    let cluster = Cluster::new(9, &["east"]);
    cluster.grant("east", "one").unwrap();
    cluster.pass(10);
    // Nobody could be heard for an hour.
    cluster.clock.advance(SignedDuration::from_hours(1));
    cluster.pass(0);
    assert_eq!(cluster.holders("east"), ["one"]);
    cluster.pass(49);
    assert_eq!(cluster.holders("east"), ["one"]);
    cluster.pass(2);
    assert!(cluster.holders("east").is_empty());
}

#[test]
fn a_client_that_renews_through_another_server_moves_there_and_keeps_its_token() {
    let cluster = Cluster::new(9, &["east", "west"]);
    let sessions = ["one", "two", "three"];
    let tokens = sessions.map(|s| cluster.grant("east", s).unwrap().held.record.token);
    cluster.pass(60);
    let list = sessions.iter().map(|session| (session.parse().unwrap(), None)).collect();
    let renewed = cluster.ask("west", |pool| pool.renew_all(list)).unwrap();
    let held = renewed.iter().map(|renewed| renewed.as_ref().unwrap().held[0].retention.token);
    assert!(held.eq(tokens));
    assert_eq!(cluster.history("west", 4), ["west: moved one three two"]);
    // East judges them no longer, and west only from now on.
    cluster.pass(89);
    assert_eq!(cluster.holders("east"), sessions);
    cluster.pass(1);
    assert!(cluster.holders("east").is_empty());
    assert!(cluster.history("west", 5).iter().all(|line| line.starts_with("west: released")));
}

#[test]
fn a_list_says_of_each_session_what_became_of_it() {
    let cluster = Cluster::new(9, &["east"]);
    cluster.grant("east", "one").unwrap();
    let list = vec![
        ("one".parse().unwrap(), Some(SessionState::Postponed)),
        ("nobody".parse().unwrap(), None),
        ("one".parse().unwrap(), None),
    ];
    let answers = cluster.ask("east", |pool| pool.renew_all(list)).unwrap();
    assert_eq!(answers[0].as_ref().unwrap().held.len(), 1);
    assert!(matches!(answers[1], Err(Error::Refused(Refusal::NotRetained { .. }))));
    assert_eq!(answers[2].as_ref().unwrap().held.len(), 1);
    assert_eq!(cluster.history("east", 2), ["east: one is postponed"]);
}

#[test]
fn a_server_that_crashes_in_a_loop_keeps_no_dead_seat() {
    let cluster = Cluster::new(9, &["east"]);
    cluster.grant("east", "one").unwrap();
    for _ in 0..12 {
        cluster.pass(20);
        cluster.start("east");
    }
    assert!(cluster.holders("east").is_empty());
}

#[test]
fn after_a_restart_a_silent_session_has_a_third_of_its_lease_and_all_of_it_once_it_was_heard() {
    for heard in [false, true] {
        let cluster = Cluster::new(9, &["east"]);
        cluster.grant("east", "one").unwrap();
        cluster.pass(85);
        cluster.start("east");
        cluster.pass(29);
        assert_eq!(cluster.holders("east"), ["one"]);
        if heard {
            cluster.renew("east", "one").unwrap();
            cluster.pass(89);
            assert_eq!(cluster.holders("east"), ["one"]);
        }
        cluster.pass(1);
        assert!(cluster.holders("east").is_empty());
    }
}

#[test]
fn who_was_heard_after_a_silence_has_all_of_its_lease_though_the_server_crashes_at_once() {
    let hear: [fn(&Cluster, &str); 2] = [
        |cluster, server| drop(cluster.renew(server, "one").unwrap()),
        |cluster, server| assert!(!cluster.grant(server, "one").unwrap().new),
    ];
    for hear in hear {
        for server in ["east", "west"] {
            let cluster = Cluster::new(9, &["east", "west"]);
            cluster.grant("east", "one").unwrap();
            cluster.pass(60);
            assert_eq!(cluster.log.clone().silences(LedgerId(1)).unwrap().len(), 1);
            hear(&cluster, server);
            cluster.start(server);
            cluster.pass(89);
            assert_eq!(cluster.holders(server), ["one"], "it was heard by {server}");
            cluster.pass(31);
            assert!(cluster.holders(server).is_empty());
        }
    }
}

#[test]
fn a_session_that_comes_back_with_a_dead_server_is_not_judged_by_when_it_went_away() {
    let cluster = Cluster::new(9, &["east", "west"]);
    cluster.ask("east", |pool| pool.grant(leased("one", 900), None)).unwrap();
    cluster.pass(50);
    cluster.renew("west", "one").unwrap();
    cluster.stop("west");
    cluster.pass(899);
    assert!(cluster.history("east", 3).contains(&"east: adopted west 1".to_owned()));
    assert_eq!(cluster.holders("east"), ["one"], "it may rely on what west told it");
    cluster.pass(300);
    assert!(cluster.holders("east").is_empty());
}

#[test]
fn what_a_dead_server_served_was_silent_before_it_was_noticed_for_a_third_of_its_lease() {
    for lease in [90, 30] {
        let cluster = Cluster::new(9, &["east", "west"]);
        cluster.ask("east", |pool| pool.grant(leased("one", lease), None)).unwrap();
        cluster.stop("east");
        while cluster.history("west", 2).is_empty() {
            cluster.pass(1);
        }
        cluster.pass(lease / 3 * 2 - 1);
        assert_eq!(cluster.holders("west"), ["one"]);
        cluster.pass(1);
        assert!(cluster.holders("west").is_empty());
    }
}

#[test]
fn what_a_single_command_retains_has_no_lease() {
    let cluster = Cluster::new(9, &["east"]);
    cluster.open("command", Pool::options().local());
    assert!(cluster.grant("command", "one").unwrap().lease.is_none());
    cluster.pass(1000);
    assert_eq!(cluster.holders("east"), ["one"]);
}

#[test]
fn what_was_released_meanwhile_is_not_released_again() {
    let cluster = Cluster::new(9, &["east", "west"]);
    cluster.grant("east", "one").unwrap();
    cluster.pass(89);
    cluster.ask("west", |pool| pool.release_async("one", None)).unwrap();
    cluster.pass(10);
    assert_eq!(cluster.history("east", 2), ["west: released one released"]);
}

#[test]
fn a_release_that_comes_late_does_not_end_a_newer_retention() {
    let cluster = Cluster::new(9, &["east"]);
    let old = cluster.grant("east", "one").unwrap().held.record.token;
    cluster.ask("east", |pool| pool.release_async("one", None)).unwrap();
    let new = cluster.grant("east", "one").unwrap().held.record.token;
    let release = |token| {
        let session = std::sync::Arc::new("one".parse().unwrap());
        let target = Target::Session { session, product: None, token: Some(token) };
        cluster.ask("east", |pool| pool.release_with(Release::new(target)))
    };
    assert!(matches!(release(old), Err(Error::Refused(Refusal::NotRetained { .. }))));
    assert_eq!(cluster.holders("east"), ["one"]);
    release(new).unwrap();
    assert!(cluster.holders("east").is_empty());
}

#[test]
fn what_is_held_by_leases_ends_with_a_pool_whose_name_nobody_takes_again() {
    let cluster = Cluster::new(9, &["east"]);
    cluster.open("run", Pool::options());
    cluster.ask("run", |pool| pool.grant(leased("one", 90), None)).unwrap();
    let describe = Session::rest("ann", "two", "127.0.0.1");
    cluster.ask("run", |pool| pool.retain_async("0009", "two", describe)).unwrap().keep();
    drop(cluster.pool("run").close());
    cluster.step("run");
    assert_eq!(cluster.holders("east"), ["two"], "a seat that was kept is kept");
}
