//! Servers that die: what they served is taken over or ended in time, and whoever was taken for dead
//! answers nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use license_pool::log::{
    Asked, LedgerId, Log, LogError, MemoryLog, News, ServerRow, Turn, TurnError,
};
use license_pool::{Error, LOCAL, Options, Pool, Session};
use license_tests::around::{Around, Outside};

use super::cluster::{Cluster, leased};
use super::faults::broken;

#[test]
fn a_dead_servers_seat_is_free_within_two_leases_and_a_grace() {
    for died_after in [1, 14, 16, 29, 31, 44] {
        let cluster = Cluster::new(9, &["east", "west"]);
        cluster.pass(died_after);
        cluster.grant("east", "one").unwrap();
        cluster.stop("east");
        cluster.pass(179);
        assert_eq!(cluster.holders("west"), ["one"], "its lease and grace are borne");
        cluster.pass(90 + 1);
        assert!(cluster.holders("west").is_empty(), "died after {died_after}");
        let history = cluster.history("west", 2);
        assert_eq!(history, ["west: adopted east 1", "west: released one lease_expired"]);
    }
}

#[test]
fn a_dead_servers_seat_is_free_in_time_whatever_its_lease_and_grace() {
    for (lease, grace) in [(90, 100), (20, 7), (15, 90)] {
        let of = |options: Options| {
            let seconds = std::time::Duration::from_secs;
            options.serving().lease(seconds(lease)).grace(seconds(grace))
        };
        // West looks at any time between two beats of east, which dies at any time between two.
        for (later, died_after) in (0..lease / 3).flat_map(|later| [0, 3, 5].map(|at| (later, at)))
        {
            let cluster = Cluster::new(9, &["east"]);
            cluster.start_with("east", of);
            cluster.pass(later);
            cluster.start_with("west", of);
            cluster.pass(lease / 2 + lease / 3 * 4 + died_after - later);
            cluster.ask("east", |pool| pool.grant(leased("one", lease), None)).unwrap();
            cluster.stop("east");
            cluster.pass(2 * lease + grace);
            let left = cluster.holders("west");
            assert!(left.is_empty(), "{lease} and {grace}, {later}, died after {died_after}");
        }
    }
}

#[test]
fn an_adoption_begins_leases_afresh_however_short_they_are_beside_the_servers_own() {
    for (lease, of_west) in [(15, 90), (22, 90), (15, 3600), (90, 15)] {
        let cluster = Cluster::new(9, &["east"]);
        let west = std::time::Duration::from_secs(of_west);
        cluster.start_with("west", |options| options.serving().lease(west));
        let grant = |pool: &Pool| pool.grant(leased("one", lease), None);
        let token = cluster.ask("east", grant).unwrap().held.record.token;
        cluster.stop("east");
        let adopted = || cluster.history("west", 2);
        while adopted().is_empty() {
            cluster.pass(1);
        }
        // Who comes a third of the lease later holds on.
        cluster.pass(lease / 3);
        assert_eq!(adopted(), ["west: adopted east 1"], "a lease of {lease} at {of_west}");
        assert_eq!(cluster.renew("west", "one").unwrap().held[0].retention.token, token);
        cluster.pass(lease);
        assert!(cluster.holders("west").is_empty());
    }
}

#[test]
fn a_session_that_comes_back_with_a_dead_servers_estate_is_not_judged_by_when_it_went_there() {
    let cluster = Cluster::new(9, &["east"]);
    let short = std::time::Duration::from_secs(10);
    cluster.start_with("west", |options| options.serving().lease(short).grace(short));
    cluster.grant("east", "one").unwrap();
    cluster.pass(50);
    cluster.renew("west", "one").unwrap();
    cluster.stop("west");
    // Long before the lease is over that east counted, it adopts; and goes on when it is over.
    cluster.pass(35);
    let history = ["west: moved one", "east: adopted west 1"];
    assert_eq!(cluster.history("east", 2), history);
    cluster.pass(54);
    assert_eq!(cluster.history("east", 2), history, "the client may rely on what west told it");
    cluster.pass(90);
    assert!(cluster.holders("east").is_empty());
}

/// A store that is away for one of its servers.
struct Away {
    log: MemoryLog,
    away: Arc<AtomicBool>,
}

impl Away {
    fn or_fail(&self) -> Result<(), LogError> {
        if self.away.load(Ordering::SeqCst) { Err(broken()) } else { Ok(()) }
    }
}

impl Around for Away {
    fn inside(&mut self) -> &mut MemoryLog {
        &mut self.log
    }

    fn reach(&mut self, _action: &'static str) -> Result<(), LogError> {
        self.or_fail()
    }

    fn turn(
        &mut self,
        asked: &[Asked],
        decide: &mut dyn FnMut(News) -> Turn,
    ) -> Result<(), TurnError> {
        self.or_fail().map_err(TurnError::Dropped)?;
        self.log.turn(asked, decide)
    }

    fn catch_up(&mut self, asked: &[Asked]) -> Result<News, LogError> {
        self.or_fail()?;
        self.log.catch_up(asked)
    }
}

#[test]
fn a_server_that_was_silent_shows_that_it_lives_before_it_hears_anybody() {
    // At any time until it is taken for dead.
    for silent in 150.. {
        let cluster = Cluster::new(9, &["east"]);
        let away = Arc::new(AtomicBool::new(false));
        let log = Outside(Away { log: cluster.log.clone(), away: away.clone() });
        let west = Pool::options().server("west".parse().unwrap()).serving().instance(7);
        cluster.wake("west", west.clock(cluster.clock.clone()).open_driven(log).unwrap());
        cluster.pass(20);
        away.store(true, Ordering::SeqCst);
        cluster.pass(silent);
        // Between two of its tries.
        cluster.clock.advance(jiff::SignedDuration::from_millis(500));
        away.store(false, Ordering::SeqCst);
        match cluster.grant("west", "one") {
            Ok(_) => {}
            Err(Error::Fenced(_)) => return assert!(silent > 160, "{silent}"),
            Err(error) => panic!("{error:?}"),
        }
        cluster.pass(89);
        assert_eq!(cluster.holders("east"), ["one"], "silent for {silent}");
    }
}

#[test]
fn a_client_of_a_dead_server_that_renews_elsewhere_keeps_its_token() {
    let cluster = Cluster::new(9, &["east", "west"]);
    let token = cluster.grant("east", "one").unwrap().held.record.token;
    cluster.stop("east");
    cluster.pass(60);
    for _ in 0..10 {
        let renewed = cluster.renew("west", "one").unwrap();
        assert_eq!(renewed.held[0].retention.token, token);
        cluster.pass(80);
    }
    assert_eq!(cluster.history("west", 2), ["west: moved one"]);
    assert!(register(&cluster).iter().all(|row| row.name.as_str() != "east"), "it is forgotten");
}

#[test]
fn a_client_that_comes_after_the_adoption_is_heard() {
    let cluster = Cluster::new(9, &["east", "west"]);
    let token = cluster.grant("east", "one").unwrap().held.record.token;
    cluster.stop("east");
    cluster.pass(215);
    assert_eq!(cluster.history("west", 2), ["west: adopted east 1"]);
    assert_eq!(cluster.renew("west", "one").unwrap().held[0].retention.token, token);
    cluster.pass(89);
    assert_eq!(cluster.holders("west"), ["one"]);
    cluster.pass(1);
    assert!(cluster.holders("west").is_empty());
}

#[test]
fn a_frozen_server_that_wakes_answers_nobody() {
    let cluster = Cluster::new(1, &["east", "west"]);
    cluster.grant("east", "one").unwrap();
    let frozen = cluster.stop("east");
    cluster.pass(271);
    cluster.grant("west", "two").unwrap();
    cluster.wake("east", frozen);
    for error in [
        cluster.renew("east", "one").unwrap_err(),
        cluster.grant("east", "one").unwrap_err(),
        cluster.ask("east", |pool| pool.held_async(None)).unwrap_err(),
        cluster.ask("east", |pool| pool.release_async("one", None)).unwrap_err(),
    ] {
        assert!(matches!(error, Error::Fenced(_)), "{error:?}");
    }
    cluster.pass(1000);
    let history = cluster.history("west", 4);
    assert_eq!(history, ["west: retained two", "west: released two lease_expired"]);
}

#[test]
fn a_server_that_lives_is_never_adopted() {
    let cluster = Cluster::new(9, &["east"]);
    cluster
        .start_with("west", |options| options.serving().lease(std::time::Duration::from_secs(900)));
    cluster.grant("east", "one").unwrap();
    for _ in 0..100 {
        cluster.pass(60);
        cluster.renew("east", "one").unwrap();
    }
    assert!(cluster.history("west", 2).is_empty());
}

#[test]
fn a_watcher_that_did_not_run_takes_nobody_for_dead() {
    let cluster = Cluster::new(9, &["east", "west"]);
    cluster.grant("east", "one").unwrap();
    // Both machines sleep for an hour, and west wakes first.
    let east = cluster.stop("east");
    cluster.pass(20);
    cluster.clock.advance(jiff::SignedDuration::from_hours(1));
    cluster.pass(100);
    cluster.wake("east", east);
    cluster.pass(1);
    cluster.renew("east", "one").unwrap();
    assert!(cluster.history("east", 2).is_empty());
}

#[test]
fn a_restart_begins_leases_afresh() {
    let cluster = Cluster::new(9, &["east"]);
    cluster.grant("east", "one").unwrap();
    cluster.pass(10);
    cluster.stop("east");
    cluster.pass(1000);
    cluster.start("east");
    cluster.pass(89);
    assert_eq!(cluster.holders("east"), ["one"]);
    cluster.pass(1);
    assert!(cluster.holders("east").is_empty());
}

#[test]
fn a_restart_leaves_a_silent_session_what_was_left_and_at_least_a_third() {
    for (silent, left) in [(50, 45), (80, 30)] {
        let cluster = Cluster::new(9, &["east"]);
        cluster.grant("east", "one").unwrap();
        cluster.pass(silent);
        cluster.start("east");
        cluster.pass(left - 1);
        assert_eq!(cluster.holders("east"), ["one"], "after {silent}");
        cluster.pass(16);
        assert!(cluster.holders("east").is_empty(), "after {silent}");
    }
}

#[test]
fn a_server_that_crashes_in_a_loop_keeps_no_dead_seat() {
    let cluster = Cluster::new(9, &["east"]);
    for session in ["dead", "alive"] {
        cluster.grant("east", session).unwrap();
    }
    for _ in 0..10 {
        cluster.pass(20);
        cluster.start("east");
        cluster.renew("east", "alive").unwrap();
    }
    assert_eq!(cluster.holders("east"), ["alive"]);
}

#[test]
fn of_a_session_that_is_heard_again_it_is_told_alone_that_its_silence_is_over() {
    let cluster = Cluster::new(9, &["east"]);
    for session in ["one", "two", "three"] {
        cluster.grant("east", session).unwrap();
    }
    cluster.pass(65);
    let told = || cluster.log.clone().silences(LedgerId(1)).unwrap();
    let before = told();
    assert_eq!(before.len(), 3);
    cluster.pass(5);
    assert_eq!(told(), before, "no beat is due");
    cluster.renew("east", "two").unwrap();
    assert_eq!(told(), [before[0].clone(), before[2].clone()]);
    cluster.pass(8);
    let after = told();
    assert!(after[0].silent > before[0].silent, "whoever comes back puts off no beat");
}

#[test]
fn restarts_pause_the_sleep_of_a_session_and_never_reset_it() {
    let cluster = Cluster::new(9, &["east"]);
    cluster.grant("east", "one").unwrap();
    cluster.tell("east", "one", license_pool::SessionState::Sleeping);
    for _ in 0..17 {
        cluster.pass(10_000);
        cluster.start("east");
    }
    assert_eq!(cluster.holders("east"), ["one"]);
    cluster.pass(3_500);
    assert!(cluster.holders("east").is_empty());
}

#[test]
fn what_single_commands_retain_is_adopted_as_it_is() {
    let cluster = Cluster::new(9, &["east"]);
    cluster.open("command", Pool::options().local());
    let seat = cluster.ask("command", |pool| pool.retain_with(leased("one", 90))).unwrap();
    assert_eq!(seat.receipt().lease, None);
    seat.keep();
    cluster.stop("command");
    cluster.pass(1000);
    assert_eq!(cluster.holders("east"), ["one"]);
    assert_eq!(cluster.history("east", 2), [format!("east: adopted {LOCAL} 0")]);
    // At the latest with the next turn.
    cluster.open("command", Pool::options().local());
    let describe = Session::rest("ann", "two", "127.0.0.1");
    cluster.ask("command", |pool| pool.retain_async("0009", "two", describe)).unwrap().keep();
    cluster.grant("east", "three").unwrap();
    let adopted = format!("east: adopted {LOCAL} 0");
    assert_eq!(cluster.history("east", 4), [adopted, "east: retained three".to_owned()]);
}

#[test]
fn what_single_commands_retain_outlives_the_servers_that_serve_it() {
    let cluster = Cluster::new(9, &["east"]);
    cluster.open("command", Pool::options().local());
    for (name, id) in [("east", "seat"), ("command", "one")] {
        let describe = Session::rest("ann", id, "127.0.0.1");
        cluster.ask(name, |pool| pool.retain_async("0009", id, describe)).unwrap().keep();
    }
    cluster.stop("command");
    cluster.pass(100);
    assert_eq!(cluster.history("east", 3), [format!("east: adopted {LOCAL} 0")]);
    cluster.start("west");
    cluster.stop("east");
    cluster.pass(300);
    let history = cluster.history("west", 4);
    assert_eq!(history, ["west: released seat server_lost", "west: adopted east 1"]);
    cluster.start("south");
    cluster.stop("west");
    cluster.pass(300);
    assert_eq!(cluster.history("south", 6), ["south: adopted west 1"]);
    assert_eq!(cluster.holders("south"), ["one"]);
}

#[test]
fn what_a_process_under_a_fresh_name_held_ends_with_it() {
    let cluster = Cluster::new(9, &["east"]);
    cluster.open("run", Pool::options());
    let seat = cluster.ask("run", |pool| pool.retain_with(leased("one", 3600))).unwrap();
    let describe = Session::rest("ann", "two", "127.0.0.1");
    let other = cluster.ask("run", |pool| pool.retain_async("0009", "two", describe)).unwrap();
    cluster.pass(1000);
    assert_eq!(cluster.holders("east"), ["one", "two"]);
    cluster.stop("run");
    cluster.pass(241);
    assert!(cluster.holders("east").is_empty());
    let history = cluster.history("east", 3);
    assert_eq!(history, ["east: released one server_lost", "east: released two server_lost"]);
    assert_eq!(register(&cluster).len(), 1);
    drop((seat, other));
}

#[test]
fn seats_of_a_dead_server_end_and_its_clients_do_not() {
    let cluster = Cluster::new(9, &["east", "west"]);
    let describe = Session::rest("ann", "seat", "127.0.0.1");
    let seat = cluster.ask("east", |pool| pool.retain_async("0009", "seat", describe)).unwrap();
    cluster.grant("east", "client").unwrap();
    cluster.stop("east");
    cluster.pass(215);
    assert_eq!(cluster.holders("west"), ["client"]);
    let history = cluster.history("west", 3);
    assert_eq!(history, ["west: released seat server_lost", "west: adopted east 1"]);
    drop(seat);
}

#[test]
fn a_server_that_serves_nobody_adopts_nobody() {
    let cluster = Cluster::new(9, &["east"]);
    cluster.start_with("library", |options: Options| options);
    cluster.grant("east", "one").unwrap();
    cluster.stop("east");
    cluster.pass(2000);
    assert_eq!(cluster.holders("library"), ["one"]);
    assert!(cluster.history("library", 2).is_empty());
}

#[test]
fn many_ledgers_of_a_dead_server_are_adopted_in_several_turns() {
    let cluster = Cluster::new(9, &["east", "west"]);
    for number in 0..40 {
        let document = super::world::license(&format!("L{number}"), 1);
        let install = |pool: &Pool| pool.install_with(document.as_bytes(), Default::default());
        cluster.ask("east", install).unwrap();
        let license = cluster.pool("east").license(format!("L{number}"));
        cluster.ask("east", |_| license.grant(leased("one", 90), None)).unwrap();
    }
    cluster.stop("east");
    cluster.pass(215);
    assert_eq!(register(&cluster).len(), 1);
    let mut batches = Vec::new();
    for number in 0..40 {
        let license = cluster.pool("west").license(format!("L{number}"));
        let page = cluster.ask("west", |_| license.page(2, 10)).unwrap();
        assert_eq!(page.len(), 1);
        batches.push(page[0].batch.clone());
    }
    batches.dedup();
    assert!(batches.len() > 1, "nobody else waits for all of them");
    cluster.pass(61);
    let license = cluster.pool("west").license("L39");
    assert!(cluster.ask("west", |_| license.held_async(None)).unwrap().is_empty());
}

#[test]
fn a_pool_tells_who_shares_the_store() {
    let cluster = Cluster::new(9, &["east", "west"]);
    cluster.open("run", Pool::options());
    cluster.grant("east", "one").unwrap();
    let states = |at: &str| {
        let servers = cluster.ask(at, Pool::servers).unwrap();
        let state = |server: &license_pool::ServerStatus| {
            format!("{} {} {}", server.name, server.state, server.ledgers)
        };
        servers.iter().map(state).collect::<Vec<_>>()
    };
    let run = format!("pool-{:016x}", 3);
    assert_eq!(
        states("west"),
        ["east live 1".to_owned(), format!("{run} live 0"), "west live 0".into()]
    );
    cluster.stop("east");
    cluster.stop("run");
    cluster.pass(150);
    assert_eq!(states("west")[0], "east silent 1");
    cluster.pass(60);
    assert_eq!(states("west"), ["west live 1"]);
}

fn register(cluster: &Cluster) -> Vec<ServerRow> {
    cluster.log.clone().beat(&[]).unwrap()
}
