//! A store that was put back from a backup: what it says is true from then on, and nobody is judged by
//! what was seen or counted before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use license_pool::log::{Log as _, MemoryLog};
use license_pool::{Error, Options, Pool, Seat};
use license_tests::around::Outside;

use super::cluster::{Cluster, leased};
use super::faults::{Breaking, Failure};
use super::world::{holders, license, options, retain};

#[test]
fn a_server_whose_beats_are_gone_is_not_taken_for_dead() {
    let cluster = Cluster::new(9, &["east", "west"]);
    let token = cluster.grant("east", "one").unwrap().held.record.token;
    let east = cluster.stop("east");
    cluster.pass(160);
    let backup = cluster.log.backup();
    // West looks on meanwhile; then east goes on, before its silence is too long.
    cluster.pass(10);
    cluster.wake("east", east);
    cluster.pass(5);
    cluster.log.restore(&backup);
    cluster.pass(30);
    assert!(cluster.history("west", 2).is_empty());
    assert_eq!(cluster.renew("east", "one").unwrap().held[0].retention.token, token);
}

#[test]
fn who_lost_its_name_once_never_has_it_again() {
    let cluster = Cluster::new(9, &["east"]);
    let backup = cluster.log.backup();
    let east = cluster.stop("east");
    cluster.start("east");
    cluster.wake("the one before", east);
    let asked = |cluster: &Cluster| cluster.ask("the one before", |pool| pool.held_async(None));
    assert!(matches!(asked(&cluster), Err(Error::Fenced(_))));
    // Its name is its own again, by what the store says.
    cluster.log.restore(&backup);
    assert!(matches!(asked(&cluster), Err(Error::Fenced(_))));
    assert!(matches!(cluster.grant("the one before", "one"), Err(Error::Fenced(_))));
}

#[test]
fn who_looks_again_after_a_while_gives_everybody_the_time_for_a_beat() {
    let cluster = Cluster::new(9, &["east", "west"]);
    cluster.grant("east", "one").unwrap();
    let east = cluster.stop("east");
    cluster.pass(170);
    let backup = cluster.log.backup();
    // East goes on, and west does not see it.
    let west = cluster.stop("west");
    cluster.wake("east", east);
    cluster.pass(70);
    cluster.log.restore(&backup);
    cluster.wake("west", west);
    cluster.pass(31);
    assert!(cluster.history("west", 2).is_empty());
    // Who does not show himself is dead all the same.
    cluster.stop("east");
    cluster.pass(181);
    assert_eq!(cluster.history("west", 2), ["west: adopted east 1"]);
}

#[test]
fn a_session_that_had_gone_to_another_server_is_not_judged_by_when_it_went() {
    // East has seen that it went, or has not; and beats before the lease is over that it counted, or
    // does not.
    for (backed_up, went, restored) in [(10, 50, 80), (10, 50, 55), (70, 76, 80)] {
        let cluster = Cluster::new(9, &["east", "west"]);
        cluster.grant("east", "one").unwrap();
        cluster.pass(backed_up);
        let backup = cluster.log.backup();
        cluster.pass(went - backed_up);
        cluster.renew("west", "one").unwrap();
        cluster.pass(restored - went);
        cluster.log.restore(&backup);
        // It may rely on what west told it.
        cluster.pass(went + 89 - restored);
        assert_eq!(cluster.holders("east"), ["one"], "it went after {went}");
        cluster.pass(90);
        assert!(cluster.holders("east").is_empty());
    }
}

#[test]
fn a_silence_that_was_told_is_over_though_the_store_tells_of_it_again() {
    // East goes on, or starts again before long.
    for starts in [false, true] {
        let cluster = Cluster::new(9, &["east"]);
        cluster.grant("east", "one").unwrap();
        cluster.pass(80);
        let backup = cluster.log.backup();
        cluster.renew("east", "one").unwrap();
        cluster.grant("east", "two").unwrap();
        cluster.log.restore(&backup);
        assert_eq!(cluster.holders("east"), ["one"]);
        if starts {
            cluster.renew("east", "one").unwrap();
            cluster.start("east");
        }
        cluster.pass(89);
        assert_eq!(cluster.holders("east"), ["one"], "starts again: {starts}");
        cluster.pass(31);
        assert!(cluster.holders("east").is_empty());
    }
}

#[test]
fn a_server_judges_again_what_it_serves_again_also_in_a_ledger_that_it_let_go() {
    let cluster = Cluster::new(9, &["west"]);
    cluster.start_with("east", |options: Options| options.serving().loaded_max(1));
    let numbers = ["B", "C", "D"];
    for number in numbers {
        let document = license(number, 9);
        cluster
            .ask("west", |pool| pool.install_with(document.as_bytes(), Default::default()))
            .unwrap();
    }
    let ask = |number: &str| {
        let license = cluster.pool("east").license(number);
        cluster.ask("east", |_| license.held_async(None)).unwrap().len()
    };
    let license = cluster.pool("east").license("B");
    cluster.ask("east", |_| license.grant(leased("one", 90), None)).unwrap();
    let backup = cluster.log.backup();
    cluster.ask("east", |_| license.release_async("one", None)).unwrap();
    cluster.pass(31);
    for number in ["C", "D", "C", "D"] {
        assert_eq!(ask(number), 0);
    }
    cluster.log.restore(&backup);
    cluster.pass(30 + 90 + 1);
    assert_eq!(ask("B"), 0);
}

#[test]
fn a_seat_of_what_is_lost_stands_for_nothing_that_another_holds_by_its_token() {
    let seat = |cluster: &Cluster, session| {
        cluster.ask("east", |pool| pool.retain_with(leased(session, 90))).unwrap()
    };
    for lost_first in [false, true] {
        let cluster = Cluster::new(9, &["east"]);
        let backup = cluster.log.backup();
        let lost = seat(&cluster, "one");
        cluster.log.restore(&backup);
        let held = seat(&cluster, "two");
        assert_eq!(held.token(), lost.token());
        let (first, then) = if lost_first { (lost, held) } else { (held, lost) };
        drop(first);
        cluster.pass(1);
        assert_eq!(cluster.holders("east").len(), usize::from(lost_first));
        drop(then);
        cluster.pass(1);
        assert!(cluster.holders("east").is_empty());
    }
    // Nor does it keep alive what is held by a lease, or end it.
    for drops in [false, true] {
        let cluster = Cluster::new(9, &["east"]);
        let backup = cluster.log.backup();
        let mut lost = Some(seat(&cluster, "one"));
        cluster.log.restore(&backup);
        let granted = cluster.grant("east", "two").unwrap();
        assert_eq!(Some(granted.held.record.token), lost.as_ref().map(Seat::token));
        drop(lost.take_if(|_| drops));
        cluster.pass(89);
        assert_eq!(cluster.holders("east"), ["two"]);
        cluster.pass(1);
        assert!(cluster.holders("east").is_empty());
    }
}

#[test]
fn it_is_noticed_also_where_a_turn_failed_right_before() {
    let (log, countdown) = (MemoryLog::default(), Arc::new(AtomicU64::new(0)));
    let breaking = Breaking {
        log: log.clone(),
        failure: Failure::Dropped,
        landed: Box::new(|log, mark| log.landed(mark)),
        countdown: countdown.clone(),
    };
    let pool: Pool = options().open_log(Outside(breaking)).unwrap();
    pool.install(license("A", 9).as_bytes()).unwrap();
    let backup = log.backup();
    retain(&pool, "0009", "one").unwrap().keep();
    countdown.store(1, Ordering::SeqCst);
    assert!(retain(&pool, "0009", "two").is_err());
    assert_eq!(pool.alarms().went_back, 0);
    log.restore(&backup);
    assert!(holders(&pool).is_empty());
    assert_eq!(pool.alarms().went_back, 1);
}
