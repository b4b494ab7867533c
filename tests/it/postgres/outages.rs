//! Connections that end at the wrong moment, and databases that go away: nothing acknowledged is
//! lost, nothing is done twice, and the pool comes back on its own.

use std::sync::{Arc, mpsc};
use std::thread;

use license_core::{Entry, Event, Head, Ledger, Stamp};
use license_pool::log::{Append, Asked, LedgerId, Log, Mark, PostgresLog, Turn, TurnError, Which};
use license_pool::{Error, Pool};

use super::database::url;
use super::proxy::{Cut, Proxy};
use super::server::{self, Database, Server, until};
use super::standstill::{is_told, retain_in_time};
use crate::pool::world::{clock, holders, is_refused, license, options, retain};

#[test]
fn a_commit_that_nobody_answered_is_found_out() {
    for (cut, takes_place) in [(Cut::Before, false), (Cut::After, true), (Cut::Late, true)] {
        let Some(database) = server::database() else { return };
        let proxy = Proxy::new(&database);
        let mut log = PostgresLog::open(&url(&proxy.address()), None, true).unwrap();
        let mut other = database.log();

        // A license that is not there yet: nobody can wait for the lock of its ledger.
        let first = Draft::new(&mut other, None);
        proxy.cut(cut.clone());
        let turn = first.append(&mut log);
        assert!(matches!(turn, Err(TurnError::Unknown(_))), "{turn:?}");
        assert_eq!(log.landed(&first.mark()).unwrap(), takes_place);
        if !takes_place {
            first.append(&mut log).unwrap();
        }

        let next = Draft::new(&mut other, Some(LedgerId(database.number("min(id)", "ledger"))));
        proxy.cut(cut.clone());
        let turn = next.append(&mut log);
        assert!(matches!(turn, Err(TurnError::Unknown(_))), "{turn:?}");
        assert_eq!(log.landed(&next.mark()).unwrap(), takes_place);
        assert_eq!(other.landed(&next.mark()).unwrap(), takes_place);
        assert_eq!(database.number("count(*)", "entry"), 1 + i64::from(takes_place));
        assert_eq!(database.number("count(*)", "ledger"), 1);
    }
}

#[test]
fn a_caller_is_told_what_became_of_a_commit_without_an_answer() {
    for cut in [Cut::Before, Cut::After, Cut::Late] {
        let Some(database) = server::database() else { return };
        let proxy = Proxy::new(&database);
        let pool = options().open(&proxy.address()).unwrap();
        let install = || pool.install(license("A", 1).as_bytes());
        proxy.cut(cut.clone());
        again(install);
        proxy.cut(cut.clone());
        let seat = again(|| retain(&pool, "0009", "one"));
        assert_eq!(seat.token().get(), 1);
        assert!(is_refused(retain(&pool, "0009", "two")));
        seat.keep();
        // Whoever is refused is told before it is written down.
        let kinds = "SELECT kind FROM license.entry ORDER BY sequence";
        until("the refusal is written down", || database.sql(kinds).ends_with("\nrefused"));
        proxy.cut(cut.clone());
        // That it did not take place may be said to the first who asks, and is true then.
        match pool.release("one", None) {
            Ok(receipt) => assert_eq!(receipt.released.len(), 1),
            Err(error) => {
                assert!(error.is_transient(), "{error:?}");
                assert_eq!(again(|| pool.release("one", None)).released.len(), 1);
            }
        }
        assert!(database.open().check().unwrap().ledgers[0].sound);
        assert_eq!(database.sql(kinds), "installed\nretained\nrefused\nreleased");
    }
}

#[test]
fn a_server_process_that_ends_between_the_trips_takes_the_turn_with_it() {
    let Some(database) = server::database() else { return };
    database.open().install(license("A", 2).as_bytes()).unwrap();
    let (mut log, mut other) = (database.log(), database.log());
    let draft = Draft::new(&mut other, Some(LedgerId(1)));
    let mut decided = 0;
    let turn = log.turn(&draft.asked(), &mut |_| {
        decided += 1;
        terminate(&database, "state = 'idle in transaction'");
        draft.turn()
    });
    assert!(turn.is_err());
    assert_eq!(decided, 1);
    assert!(!log.landed(&draft.mark()).unwrap());
    draft.append(&mut log).unwrap();
    assert!(other.landed(&draft.mark()).unwrap());
}

#[test]
fn a_connection_that_ended_while_it_was_idle_is_replaced_unseen() {
    let Some(database) = server::database() else { return };
    let pool = database.open();
    pool.install(license("A", 2).as_bytes()).unwrap();
    terminate(&database, "true");
    retain(&pool, "0009", "one").unwrap().keep();
    terminate(&database, "true");
    assert_eq!(holders(&pool), ["one"]);
    terminate(&database, "true");
    assert_eq!(pool.licenses().unwrap(), ["A"]);
    terminate(&database, "true");
    assert_eq!(pool.release("one", None).unwrap().released.len(), 1);
}

#[test]
fn a_pool_comes_back_when_its_database_does() {
    let Some(server) = Server::start(&[]).map(Arc::new) else { return };
    let database = server.clone().database();
    let clock = clock();
    let pool = database.open_as(Pool::options().clock(clock.clone()));
    pool.install(license("A", 2).as_bytes()).unwrap();
    retain(&pool, "0009", "one").unwrap().keep();
    server.kill();
    for _ in 0..3 {
        let error = retain_in_time(&pool, &clock, "two").unwrap_err();
        assert!(is_told(&error), "{error:?}");
        assert!(matches!(pool.usage(None), Err(Error::StoreUnavailable(_))));
    }
    server.launch(&[]);
    assert_eq!(holders(&pool), ["one"]);
    retain(&pool, "0009", "two").unwrap().keep();
    assert!(is_refused(retain(&pool, "0009", "three")));
    assert!(pool.check().unwrap().ledgers[0].sound);
}

#[test]
fn a_server_that_stands_still_in_its_turn_does_not_hold_the_others_for_long() {
    let Some(database) = server::database() else { return };
    let pool = database.open();
    pool.install(license("A", 2).as_bytes()).unwrap();
    let (mut log, mut other) = (database.log(), database.log());
    let draft = Draft::new(&mut other, Some(LedgerId(1)));
    let (frozen, is_frozen) = mpsc::channel();
    let (thaw, thawed) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let (draft, log) = (&draft, &mut log);
        let turn = scope.spawn(move || {
            log.turn(&draft.asked(), &mut |_| {
                frozen.send(()).unwrap();
                thawed.recv().unwrap();
                draft.turn()
            })
        });
        is_frozen.recv().unwrap();
        retain(&pool, "0009", "one").unwrap().keep();
        thaw.send(()).unwrap();
        assert!(turn.join().unwrap().is_err());
    });
    assert!(!log.landed(&draft.mark()).unwrap());
    assert_eq!(holders(&pool), ["one"]);
    assert!(pool.check().unwrap().ledgers[0].sound);
}

#[test]
fn a_commit_with_a_warning_is_told_once_the_standby_has_it() {
    told_once_the_standby_has_it("pg_cancel_backend");
}

#[test]
fn a_commit_whose_connection_was_ended_is_told_once_the_standby_has_it() {
    told_once_the_standby_has_it("pg_terminate_backend");
}

/// A commit that has taken place on the primary, and whose wait for the standby was cut short.
fn told_once_the_standby_has_it(cut_short: &str) {
    // There is no such standby.
    let alone = |name| format!("ALTER SYSTEM SET synchronous_standby_names = '{name}'");
    let Some(server) = Server::start(&[]).map(Arc::new) else { return };
    let database = server.database();
    let pool = database.open();
    pool.install(license("A", 2).as_bytes()).unwrap();
    // The pool knows the ledger now, so the next commit is that of a retention.
    drop(retain(&pool, "0009", "one").unwrap());
    until("the first is released", || holders(&pool).is_empty());
    database.sql(&alone("nobody"));
    database.sql("SELECT pg_reload_conf()");
    let waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    let waits = || database.sql(&format!("SELECT count(*) {waiting}")) == "1";
    thread::scope(|scope| {
        let told = scope.spawn(|| retain(&pool, "0009", "two").unwrap().keep());
        until("the commit waits for the standby", waits);
        let first = database.sql(&format!("SELECT pid {waiting}"));
        database.sql(&format!("SELECT {cut_short}({first})"));
        // It is there, but nobody is told.
        until("another commit waits", || {
            waits() && database.sql(&format!("SELECT pid {waiting}")) != first
        });
        assert_eq!(database.number("count(*)", "held"), 1);
        assert!(!told.is_finished());
        database.sql(&alone(""));
        database.sql("SELECT pg_reload_conf()");
        told.join().unwrap();
    });
    assert_eq!(holders(&pool), ["two"]);
}

/// One entry that is to be appended to a ledger, or to a new one.
struct Draft {
    ledger: Option<LedgerId>,
    known: Option<(LedgerId, Head)>,
    entry: Entry,
}

impl Draft {
    fn new(log: &mut dyn Log, ledger: Option<LedgerId>) -> Draft {
        let mut memory = Ledger::new();
        for entry in ledger.into_iter().flat_map(|id| log.page(id, 0, 100).unwrap()) {
            memory.replay(&entry).unwrap();
        }
        let now = "2026-01-05T10:00:00Z".parse().unwrap();
        let entry = memory.seal(Event::ClockCorrected, &Stamp::local(), now);
        Draft { ledger, known: ledger.map(|id| (id, memory.head())), entry }
    }

    fn number(&self) -> Option<Arc<str>> {
        self.ledger.is_none().then(|| "A".into())
    }

    fn asked(&self) -> [Asked; 1] {
        let license = self.number().map_or(Which::Only, Which::Number);
        [Asked { license, known: self.known }]
    }

    fn turn(&self) -> Turn {
        let append = Append {
            ledger: self.ledger,
            number: self.number(),
            entries: vec![self.entry.clone()],
            ..Append::default()
        };
        Turn { appends: vec![append], ..Turn::default() }
    }

    fn append(&self, log: &mut dyn Log) -> Result<(), TurnError> {
        log.turn(&self.asked(), &mut |_| self.turn())
    }

    fn mark(&self) -> Mark {
        let head = Head { sequence: self.entry.sequence, chain: self.entry.chain };
        Mark { ledger: self.ledger, number: self.number(), head }
    }
}

/// Asks until it is done.
fn again<T>(ask: impl Fn() -> Result<T, Error>) -> T {
    for _ in 0..3 {
        match ask() {
            Ok(done) => return done,
            Err(error) => assert!(error.is_transient(), "{error:?}"),
        }
    }
    panic!("the line was cut once")
}

/// Ends the connections to a database of which this holds.
fn terminate(database: &Database, which: &str) {
    let ended = database.sql(&format!(
        "SELECT count(pg_terminate_backend(pid, 60000)) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND {which}"
    ));
    assert_ne!(ended, "0");
}

impl Database {
    fn number(&self, value: &str, table: &str) -> i64 {
        self.sql(&format!("SELECT {value} FROM license.{table}")).parse().unwrap()
    }
}
