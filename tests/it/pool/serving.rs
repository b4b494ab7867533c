//! The list of those who serve sessions in a ledger: who is on it too long costs a look, and who is
//! missing would keep a dead server's licenses for ever.

use license_pool::log::{LedgerId, Log};
use license_pool::{Options, Pool, Session};

use super::cluster::Cluster;

const LEDGER: LedgerId = LedgerId(1);

#[test]
fn a_server_whose_sessions_come_and_go_stays_on_the_list_until_its_next_beat() {
    let cluster = Cluster::new(9, &["east"]);
    assert!(listed(&cluster, "east").is_empty());
    for session in ["one", "two"] {
        cluster.grant("east", session).unwrap();
        release(&cluster, "east", session);
        assert_eq!(listed(&cluster, "east"), [LEDGER]);
        cluster.pass(31);
        assert!(listed(&cluster, "east").is_empty());
    }
    cluster.grant("east", "three").unwrap();
    cluster.pass(31);
    assert_eq!(listed(&cluster, "east"), [LEDGER], "it serves a session");
}

#[test]
fn who_released_or_took_a_servers_last_session_leaves_it_on_the_list() {
    let leave: [fn(&Cluster); 2] = [
        |cluster| release(cluster, "west", "one"),
        |cluster| drop(cluster.renew("west", "one").unwrap()),
    ];
    for leave in leave {
        let cluster = Cluster::new(9, &["east", "west"]);
        cluster.grant("east", "one").unwrap();
        leave(&cluster);
        // East remembers that it is on the list.
        cluster.grant("east", "two").unwrap();
        assert_eq!(listed(&cluster, "east"), [LEDGER]);
        cluster.stop("east");
        cluster.pass(215);
        let history = cluster.history("west", 2);
        assert!(history.contains(&"west: adopted east 1".to_owned()), "{history:?}");
    }
}

#[test]
fn a_server_is_on_the_list_of_a_store_that_went_back_to_when_it_was_not() {
    let cluster = Cluster::new(9, &["east"]);
    let backup = cluster.log.backup();
    cluster.grant("east", "one").unwrap();
    cluster.log.restore(&backup);
    assert!(listed(&cluster, "east").is_empty());
    cluster.grant("east", "two").unwrap();
    assert_eq!(listed(&cluster, "east"), [LEDGER]);
}

#[test]
fn a_server_that_begins_anew_is_taken_off_where_it_serves_nothing() {
    let cluster = Cluster::new(9, &["east"]);
    cluster.grant("east", "one").unwrap();
    release(&cluster, "east", "one");
    cluster.stop("east");
    cluster.start("east");
    assert!(listed(&cluster, "east").is_empty());
    cluster.grant("east", "two").unwrap();
    assert_eq!(listed(&cluster, "east"), [LEDGER]);
    cluster.start("east");
    assert_eq!(listed(&cluster, "east"), [LEDGER], "it serves a session");
}

#[test]
fn a_dead_server_that_served_nothing_any_more_vanishes_without_an_entry() {
    for named in [true, false] {
        let cluster = Cluster::new(9, &["east"]);
        let kind = |options: Options| if named { options } else { Pool::options() };
        cluster.start_with("west", kind);
        let name = cluster.pool("west").server().to_string();
        cluster.grant("west", "one").unwrap();
        release(&cluster, "west", "one");
        assert_eq!(listed(&cluster, &name), [LEDGER]);
        cluster.stop("west");
        cluster.pass(300);
        assert!(listed(&cluster, &name).is_empty());
        assert_eq!(cluster.log.clone().beat(&[]).unwrap().len(), 1);
        assert_eq!(cluster.history("east", 3), [""; 0]);
    }
}

#[test]
fn who_serves_nobody_elses_sessions_does_not_take_over_those_of_a_dead_server() {
    let cluster = Cluster::new(9, &["east"]);
    cluster.start_with("west", |options| options);
    cluster.grant("east", "one").unwrap();
    cluster.stop("east");
    cluster.pass(600);
    assert_eq!(cluster.history("west", 2), [""; 0]);
}

#[test]
fn the_seats_of_a_dead_server_end_however_many_and_what_commands_retained_goes_on() {
    let cluster = Cluster::new(2000, &["east"]);
    let ask = |server: &str, session: &str| {
        let describe = Session::rest("ann", session, "127.0.0.1");
        cluster.pool(server).retain_async("0009", session, describe)
    };
    cluster.open("command", Pool::options().local());
    let command = |session: &str| {
        let seat = ask("command", session);
        cluster.step("command");
        seat.try_take().unwrap().unwrap().keep();
        cluster.pass(31);
    };
    command("first");
    // More than are read, or released, at once.
    let seats: Vec<_> = (0..1100).map(|seat| ask("east", &format!("seat-{seat}"))).collect();
    (0..4).for_each(|_| cluster.step("east"));
    seats.into_iter().for_each(|seat| seat.try_take().unwrap().unwrap().keep());
    command("last");
    cluster.stop("east");
    cluster.start("west");
    cluster.pass(300);
    assert_eq!(cluster.holders("west"), ["first", "last"]);
}

#[test]
fn who_ends_in_order_leaves_nothing_on_the_list() {
    let cluster = Cluster::new(9, &["east"]);
    cluster.open("run", Pool::options());
    let name = cluster.pool("run").server().to_string();
    let describe = Session::rest("ann", "one", "127.0.0.1");
    let seat = cluster.ask("run", |pool| pool.retain_async("0009", "one", describe)).unwrap();
    cluster.ask("run", |_| seat.release_async()).unwrap();
    assert_eq!(listed(&cluster, &name), [LEDGER]);
    cluster.ask("run", Pool::close).unwrap();
    assert!(listed(&cluster, &name).is_empty());
    assert_eq!(cluster.log.clone().beat(&[]).unwrap().len(), 1);
}

fn release(cluster: &Cluster, server: &str, session: &str) {
    cluster.ask(server, |pool| pool.release_async(session, None)).unwrap();
}

fn listed(cluster: &Cluster, server: &str) -> Vec<LedgerId> {
    cluster.log.clone().serving(&server.parse().unwrap()).unwrap()
}
