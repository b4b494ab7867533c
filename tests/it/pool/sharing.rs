//! Several pools on one store, as several processes are: what one acknowledged, every other sees.

use std::fs::{self, File};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use license_pool::log::MemoryLog;
use license_pool::{Error, LOCAL, OpenError, Pool, ServerName, Session};

use super::world::{Store, holders, is_refused, license, options, reports, retain};
use crate::postgres::server::database;

/// Two pools on one store, for each kind of store.
fn on_every_log(test: impl Fn(&Pool, &Pool)) {
    let log = MemoryLog::default();
    test(&options().open_log(log.clone()).unwrap(), &options().open_log(log).unwrap());
    let store = Store::new();
    test(&store.open(), &store.open());
    if let Some(database) = database() {
        test(&database.open(), &database.open());
    }
}

#[test]
fn what_one_pool_acknowledged_the_other_sees() {
    on_every_log(|east, west| {
        east.install(license("A", 2).as_bytes()).unwrap();
        let one = retain(east, "0009", "one").unwrap();
        assert_eq!(holders(west), ["one"]);
        let two = retain(west, "0009", "two").unwrap();
        assert!(is_refused(retain(east, "0009", "three")));
        assert_eq!(two.record().product_used_count.get(), 1);
        assert_eq!(two.record().global_product_used_count.get(), 2);
        assert_eq!(east.availability("0009").unwrap().product_balance.get(), 0);
        one.release().unwrap();
        assert_eq!(holders(west), ["two"]);
        west.release("two", None).unwrap();
        assert!(holders(east).is_empty());
        east.install(license("A", 1).as_bytes()).unwrap();
        assert_eq!(west.info().unwrap().unwrap().products[0].allowed_count.get(), 1);
        assert_eq!(reports(east), reports(west));
    });
}

#[test]
fn however_much_others_appended_meanwhile_all_of_it_is_seen() {
    on_every_log(|east, west| {
        east.install(license("A", 9999).as_bytes()).unwrap();
        assert!(holders(west).is_empty());
        // As many as are read at once, and one more.
        for count in [1024, 1025] {
            let seat = |n| {
                let session = format!("{count}-{n}");
                east.retain_async("0009", &session, Session::rest("ann", &session, "127.0.0.1"))
            };
            let seats: Vec<_> = (0..count).map(seat).collect();
            seats.into_iter().for_each(|seat| seat.wait().unwrap().keep());
            assert_eq!(holders(west).len(), holders(east).len());
        }
        assert_eq!(retain(west, "0009", "next").unwrap().token().get(), 1024 + 1025 + 1);
    });
}

#[test]
fn pools_that_race_for_the_last_license_never_sell_it_twice() {
    on_every_log(|east, west| {
        east.install(license("A", 3).as_bytes()).unwrap();
        thread::scope(|scope| {
            for (index, pool) in [east, west, east, west].into_iter().enumerate() {
                scope.spawn(move || {
                    let mut random = Rng::with_seed(index as u64);
                    for _ in 0..60 {
                        let session = format!("{}", random.u8(..8));
                        match retain(pool, "0009", &session) {
                            Ok(seat) if random.bool() => drop(seat),
                            Ok(seat) => seat.keep(),
                            Err(Error::Refused(_)) => drop(pool.release(&session, None)),
                            Err(error) => panic!("{error}"),
                        }
                        assert!(pool.usage(None).unwrap().len() <= 3);
                    }
                });
            }
        });
        assert_eq!(reports(east), reports(west));
        let check = east.check().unwrap();
        assert!(check.ledgers[0].sound, "{check:?}");
    });
}

#[test]
fn who_keeps_the_store_to_itself_is_named_to_those_who_wait() {
    let store = Store::new();
    let pool = options().patience(Duration::from_millis(1)).open(&store.url()).unwrap();
    pool.install(license("A", 9).as_bytes()).unwrap();
    let busy = || {
        let error = retain(&pool, "0009", "one").unwrap_err();
        let Error::StoreBusy(source) = &error else { panic!("{error:?}") };
        assert!(holders(&pool).is_empty(), "what is held can still be read");
        source.to_string()
    };
    // A process of ours that stands still in its turn, as far as others can tell.
    let turn = File::open(store.path().with_extension("db-turn")).unwrap();
    turn.lock().unwrap();
    let named = format!("process {}", std::process::id());
    let message = busy();
    assert!(message.contains(&named), "{message}");
    drop(turn);
    // Any other program that writes to the file.
    let other = rusqlite::Connection::open(store.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // What another test starts at this moment keeps the turn until it runs a program of its own.
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut message = busy();
    while message.contains(&named) && Instant::now() < deadline {
        message = busy();
    }
    assert_eq!(message, "the store is busy");
    other.execute_batch("ROLLBACK").unwrap();
    retain(&pool, "0009", "one").unwrap().keep();
    assert_eq!(holders(&pool), ["one"]);
}

#[test]
fn a_store_that_went_back_in_time_is_read_again() {
    let store = Store::new();
    let pool = store.open();
    pool.install(license("A", 9).as_bytes()).unwrap();
    retain(&pool, "0009", "before").unwrap().keep();
    drop(pool);
    let backup = fs::read(store.path()).unwrap();

    let pool = options().local().open(&store.url()).unwrap();
    retain(&pool, "0009", "lost").unwrap().keep();
    assert_eq!(holders(&pool), ["before", "lost"]);
    // The backup goes on differently, and ends at the same sequence.
    let other = Store::new();
    fs::write(other.path(), &backup).unwrap();
    let elsewhere = other.open();
    retain(&elsewhere, "0009", "instead").unwrap().keep();
    drop(elsewhere);
    restore(&other, &store);
    assert_eq!(holders(&pool), ["before", "instead"]);
    let seat = retain(&pool, "0009", "after").unwrap();
    assert_eq!(seat.token().get(), 3);
    seat.keep();
    assert!(pool.check().unwrap().ledgers[0].sound);
}

/// Puts the content of one store in place of another's while that is open, as SQLite's own backup
/// would.
fn restore(from: &Store, to: &Store) {
    let from = rusqlite::Connection::open(from.path()).unwrap();
    let mut to = rusqlite::Connection::open(to.path()).unwrap();
    let backup = rusqlite::backup::Backup::new(&from, &mut to).unwrap();
    backup.run_to_completion(1000, Duration::ZERO, None).unwrap();
}

#[test]
fn a_server_whose_name_was_taken_answers_nobody() {
    let name = || ServerName::new("db1:7427").unwrap();
    let log = MemoryLog::default();
    let store = Store::new();
    let in_memory = || options().server(name()).open_log(log.clone()).unwrap();
    // On a file, a server that lives shows that it does, until that is taken away from it.
    let in_file = || {
        let _ = fs::remove_dir_all(store.path().with_extension("db-servers"));
        options().server(name()).open(&store.url()).unwrap()
    };
    for open in [&in_memory as &dyn Fn() -> Pool, &in_file] {
        let old = open();
        old.install(license("A", 2).as_bytes()).unwrap();
        let _kept = retain(&old, "0009", "one").unwrap();
        let new = open();
        for error in [
            retain(&old, "0009", "two").unwrap_err(),
            old.usage(None).unwrap_err(),
            old.renew("one", None).unwrap_err(),
        ] {
            assert!(matches!(error, Error::Fenced(_)), "{error:?}");
        }
        let seat = retain(&new, "0009", "two").unwrap();
        assert_eq!(holders(&new), ["one", "two"]);
        let entry = new.history().map(Result::unwrap).last().unwrap();
        assert_eq!((entry.server.as_str(), entry.epoch.get()), ("db1:7427", 2));
        drop(seat);
    }
}

#[test]
fn a_second_server_of_a_name_is_refused_while_the_first_lives() {
    let name = || ServerName::new("db1:7427").unwrap();
    let store = Store::new();
    let first = options().server(name()).open(&store.url()).unwrap();
    first.install(license("A", 2).as_bytes()).unwrap();
    let error = options().server(name()).open(&store.url()).unwrap_err();
    let OpenError::Register(error) = error else { panic!("{error:?}") };
    let told = format!("the name `db1:7427` is taken by process {}: ", std::process::id());
    assert!(error.to_string().starts_with(&told), "{error}");
    let seat = retain(&first, "0009", "one").unwrap();
    seat.keep();
    drop(first);
    let second = options().server(name()).open(&store.url()).unwrap();
    assert_eq!(holders(&second), ["one"]);
}

#[test]
fn single_commands_share_a_name_and_fence_nobody() {
    on_every_log(|server, _| {
        server.install(license("A", 2).as_bytes()).unwrap();
    });
    let log = MemoryLog::default();
    let first = options().local().open_log(log.clone()).unwrap();
    let second = options().local().open_log(log).unwrap();
    first.install(license("A", 2).as_bytes()).unwrap();
    let _one = retain(&first, "0009", "one").unwrap();
    let _two = retain(&second, "0009", "two").unwrap();
    assert_eq!(first.usage(Some(LOCAL)).unwrap().len(), 2);
    let entry = second.history().map(Result::unwrap).last().unwrap();
    assert_eq!((entry.server.as_str(), entry.epoch.get()), (LOCAL, 0));
}
