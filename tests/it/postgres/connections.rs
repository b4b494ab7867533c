//! Ledgers spread over several connections: what one of them waits for holds no other up, and to
//! everybody else they are one server.

use std::io::Write as _;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::thread;

use license_pool::log::{Asked, Log, Server, Turn, Which};
use license_pool::{LeaseSeconds, Options, Pool, Retain, Seat, ServerName, Session, StoreUrl};

use super::proxy::{Cut, Proxy};
use super::server::{self, Database, until};
use crate::pool::world::{clock, holders, license, options, retain};

const NUMBERS: [&str; 3] = ["A", "B", "C"];

#[test]
fn a_row_that_somebody_holds_keeps_no_other_ledger_waiting() {
    let Some(database) = server::database() else { return };
    let pool = database.open_spread(options(), &database.address());
    let held = database.hold("SELECT 1 FROM license.ledger WHERE id = 1 FOR UPDATE");
    let waits = retain_later(&pool.license("A"), "late");
    until("the turn of the ledger waits", || database.waiting() == 1);
    for round in 0..5 {
        for number in ["B", "C"] {
            retain(&pool.license(number), "0009", &round.to_string()).unwrap().release().unwrap();
        }
    }
    assert_eq!(database.waiting(), 1);
    let waits = waits.try_take().unwrap_err();
    held.let_go();
    waits.wait().unwrap().keep();
    assert_eq!(holders(&pool.license("A")), ["late"]);
    assert!(pool.check().unwrap().ledgers.iter().all(|ledger| ledger.sound));
}

#[test]
fn a_connection_lost_in_a_commit_leaves_only_its_own_ledgers_in_doubt() {
    let Some(database) = server::database() else { return };
    let proxy = Proxy::new(&database);
    let pool = database.open_spread(options(), &proxy.address());
    let stalled = proxy.stall();
    let waits = retain_later(&pool.license("A"), "late");
    stalled.arrived();
    for round in 0..5 {
        for number in ["B", "C"] {
            retain(&pool.license(number), "0009", &round.to_string()).unwrap().release().unwrap();
        }
    }
    let waits = waits.try_take().unwrap_err();
    // It never arrives, so it is decided again.
    drop(stalled);
    assert_eq!(waits.wait().unwrap().token().get(), 1);
    let retained = "SELECT count(*) FROM license.entry WHERE kind = 'retained' AND ledger = 1";
    assert_eq!(database.sql(retained), "1");
    assert!(pool.check().unwrap().ledgers.iter().all(|ledger| ledger.sound));
}

#[test]
fn a_turn_that_waits_does_not_keep_its_server_from_showing_that_it_lives() {
    let Some(database) = server::database() else { return };
    database.open().install(license("A", 2).as_bytes()).unwrap();
    let mut log = database.log();
    let server = |instance: &str| Server {
        name: ServerName::new("east").unwrap(),
        instance: instance.to_owned(),
        lease_seconds: 90,
        grace_seconds: 90,
        transient: false,
    };
    assert_eq!(log.register(server("first")).unwrap(), 1);
    let mut beside = log.for_writer().unwrap().expect("a database takes several connections");
    let asked = [Asked { license: Which::Only, known: None }];
    let (taken, takes) = mpsc::channel();
    thread::scope(|scope| {
        let turn = log.turn(&asked, &mut |_| {
            assert_eq!(beside.beat(&[]).unwrap().len(), 1);
            let (database, taken) = (&database, taken.clone());
            scope.spawn(move || taken.send(database.log().register(server("second")).unwrap()));
            until("who takes the name waits", || database.waiting() == 1);
            assert!(takes.try_recv().is_err());
            Turn::default()
        });
        turn.unwrap();
        assert_eq!(takes.recv().unwrap(), 2);
    });
    assert!(beside.beat(&[]).is_err(), "every connection of the server is fenced");
}

#[test]
fn a_server_that_restarts_on_several_connections_judges_every_lease_once() {
    let Some(database) = server::database() else { return };
    let clock = clock();
    let east = || Pool::options().clock(clock.clone()).server("east".parse().unwrap()).serving();
    let pool = database.open_spread(east(), &database.address());
    for number in NUMBERS {
        pool.license(number).grant(leased("one"), None).wait().unwrap();
    }
    drop(pool);
    // Fewer connections than before, so that most ledgers change hands.
    for connections in [2, 1, 3] {
        let address = format!("{}?connections={connections}", database.address());
        let pool = east().open(&address).unwrap();
        for number in NUMBERS {
            let license = pool.license(number);
            assert_eq!(license.renew("one", None).unwrap().held.len(), 1);
            assert_eq!(holders(&license), ["one"]);
        }
    }
    let pool = database.open_spread(east(), &database.address());
    // Were a lease judged by another than who hears its session, it would end.
    for _ in 0..20 {
        clock.advance(jiff::SignedDuration::from_secs(20));
        for number in NUMBERS {
            let license = pool.license(number);
            assert_eq!(license.renew("one", None).unwrap().held.len(), 1);
            assert_eq!(holders(&license), ["one"]);
        }
    }
    until("every lease has run out", || {
        clock.advance(jiff::SignedDuration::from_secs(10));
        NUMBERS.iter().all(|number| holders(&pool.license(*number)).is_empty())
    });
    let kinds = "SELECT count(*) FROM license.entry WHERE kind = 'released'";
    assert_eq!(database.sql(kinds), "3");
    assert_eq!(database.sql("SELECT count(DISTINCT batch) FROM license.entry"), "9");
}

#[test]
fn what_a_dead_server_served_is_taken_over_on_every_connection() {
    let Some(database) = server::database() else { return };
    let clock = clock();
    let named = |name: &str| {
        Pool::options().clock(clock.clone()).server(name.parse::<ServerName>().unwrap()).serving()
    };
    let east = database.open_spread(named("east"), &database.address());
    for number in NUMBERS {
        east.license(number).grant(leased("one"), None).wait().unwrap();
    }
    east.close().wait().unwrap();
    let west = database.open_spread(named("west"), &database.address());
    let adopted = "SELECT count(*) FROM license.entry WHERE kind = 'adopted'";
    until("every ledger is taken over", || {
        clock.advance(jiff::SignedDuration::from_secs(10));
        for number in NUMBERS {
            assert!(holders(&west.license(number)).len() <= 1);
        }
        database.sql(adopted) == "3"
    });
    until("every lease has run out", || {
        clock.advance(jiff::SignedDuration::from_secs(10));
        NUMBERS.iter().all(|number| holders(&west.license(*number)).is_empty())
    });
    until("nothing is left of it", || {
        clock.advance(jiff::SignedDuration::from_secs(10));
        holders(&west.license("A"));
        database.sql("SELECT string_agg(name, ',') FROM license.server") == "west"
    });
}

#[test]
fn an_installation_without_an_answer_ends_no_lease_that_another_connection_hears() {
    let Some(database) = server::database() else { return };
    let (clock, proxy) = (clock(), Proxy::new(&database));
    let east = Pool::options().clock(clock.clone()).server("east".parse().unwrap());
    let pool = database.open_spread(east, &proxy.address());
    for number in NUMBERS {
        pool.license(number).grant(leased("one"), None).wait().unwrap();
    }
    // The first connection knows the ledger from now on: its next commit is one that writes.
    pool.install(license("A", 98).as_bytes()).unwrap();
    proxy.cut(Cut::After);
    pool.install(license("A", 99).as_bytes()).unwrap();
    for _ in 0..20 {
        clock.advance(jiff::SignedDuration::from_secs(20));
        for number in NUMBERS {
            assert_eq!(pool.license(number).renew("one", None).unwrap().held.len(), 1);
        }
    }
}

#[test]
fn what_is_asked_in_one_breath_with_an_installation_follows_it() {
    let Some(database) = server::database() else { return };
    let clock = clock();
    let options = || Pool::options().clock(clock.clone()).server("east".parse().unwrap()).serving();
    let pool = options().open(&format!("{}?connections=3", database.address())).unwrap();
    // The first ledger belongs to the second connection.
    let installed = pool.install_with(license("A", 2).as_bytes(), Default::default());
    let granted = pool.grant(leased("one"), None);
    installed.wait().unwrap();
    assert_eq!(granted.wait().unwrap().held.record.token.get(), 1);
    // Were its lease judged by another than who hears it, it would end.
    for _ in 0..9 {
        clock.advance(jiff::SignedDuration::from_secs(60));
        assert_eq!(pool.renew("one", None).unwrap().held.len(), 1);
    }
    assert_eq!(database.sql("SELECT count(*) FROM license.entry"), "2");
}

#[test]
fn whoever_asks_for_the_only_license_gets_the_one_that_is_left() {
    let Some(database) = server::database() else { return };
    let address = format!("{}?connections=3", database.address());
    let (pool, other) = (options().open(&address).unwrap(), options().open(&address).unwrap());
    for number in NUMBERS {
        pool.install(license(number, 2).as_bytes()).unwrap();
        for pool in [&pool, &other] {
            // The other may hear of it only when it asks.
            let seat = retain(pool, "0009", number).or_else(|error| {
                assert!(error.is_transient(), "{error:?}");
                retain(pool, "0009", number)
            });
            assert_eq!(seat.unwrap().release().unwrap().token.get(), seat_count(&database, number));
        }
        pool.uninstall().unwrap();
    }
    // Four entries of each ledger are its own, whichever connection wrote them.
    assert_eq!(pool.commits().wait().unwrap().entries.sum(), 12);
}

fn seat_count(database: &Database, number: &str) -> u64 {
    let counted = format!(
        "SELECT count(*) FROM license.entry JOIN license.license_number USING (ledger)
         WHERE kind = 'retained' AND number = '{number}'"
    );
    database.sql(&counted).parse().unwrap()
}

#[test]
fn an_address_that_names_an_odd_number_of_connections_is_refused() {
    for number in ["0", "65", "-1", "many", ""] {
        let address = format!("postgres://ann@localhost/x?connections={number}");
        let error = address.parse::<StoreUrl>().unwrap_err().to_string();
        assert!(error.contains("`connections` is a number from 1 to 64"), "{error}");
    }
}

pub(super) fn leased(session: &str) -> Retain {
    let ann = Session::rest("ann", session, "127.0.0.1");
    let mut retain = Retain::new("0009".parse().unwrap(), session.parse().unwrap(), ann);
    retain.lease_seconds = Some(LeaseSeconds::new(90).unwrap());
    retain
}

pub(super) fn retain_later(pool: &Pool, session: &str) -> license_pool::Pending<Seat> {
    pool.retain_async("0009", session, Session::rest("ann", session, "127.0.0.1"))
}

/// A transaction of somebody else, which goes on until it is let go.
pub(super) struct Held(Child);

impl Held {
    pub(super) fn let_go(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Database {
    /// A pool with a connection for each of three licenses, all installed and used before.
    pub(super) fn open_spread(&self, options: Options, address: &str) -> Pool {
        let pool = options.open(&format!("{address}?connections=3")).unwrap();
        for number in NUMBERS {
            pool.install(license(number, 100).as_bytes()).unwrap();
            assert!(holders(&pool.license(number)).len() <= 1);
        }
        let beat = "SELECT min(beat) >= 3 FROM license.server WHERE instance <> ''";
        until("every connection has shown that its server lives", || self.sql(beat) == "t");
        pool
    }

    /// Takes locks and holds them.
    pub(super) fn hold(&self, locks: &str) -> Held {
        let mut child = self.server.psql(&self.name).stdin(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.as_mut().unwrap();
        writeln!(input, "SET application_name = 'outsider'; BEGIN; {locks} \\g /dev/null").unwrap();
        let holds = "SELECT count(*) FROM pg_stat_activity
            WHERE application_name = 'outsider' AND state = 'idle in transaction'
              AND datname = current_database() AND query LIKE 'SELECT%'";
        until("the outsider holds it", || self.sql(holds) == "1");
        Held(child)
    }

    /// How many statements wait for a lock.
    pub(super) fn waiting(&self) -> u64 {
        let waiting = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        self.sql(waiting).parse().unwrap()
    }
}
