//! The file of a store: private, ours, and readable by an auditor.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use license_pool::{Error, OpenError, Pool};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::world::{Store, holders, license, options, retain};

#[cfg(unix)]
#[test]
fn the_files_of_a_store_are_private_to_their_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    for made_before in [false, true] {
        let store = Store::new();
        if made_before {
            fs::write(store.path(), "").unwrap();
            fs::set_permissions(store.path(), fs::Permissions::from_mode(0o644)).unwrap();
        }
        let pool = store.open();
        pool.install(license("A", 1).as_bytes()).unwrap();
        let names = store.names();
        assert_eq!(
            names,
            ["", "-line", "-next", "-servers", "-shm", "-turn", "-wal"]
                .map(|end| format!("license.db{end}"))
        );
        for name in names {
            let file = fs::metadata(store.path().with_file_name(&name)).unwrap();
            let mode = if file.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(file.permissions().mode() & 0o777, mode, "{name}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_store_whose_file_was_taken_away_sells_nothing_and_recovers_when_it_is_back() {
    let store = Store::new();
    let pool = store.open();
    pool.install(license("A", 1).as_bytes()).unwrap();
    let away = store.path().with_file_name("away.db");
    fs::rename(store.path(), &away).unwrap();
    for replaced in [false, true] {
        if replaced {
            fs::write(store.path(), "").unwrap();
        }
        let error = retain(&pool, "0009", "one").unwrap_err();
        assert!(matches!(error, Error::StoreUnavailable(_)), "{error:?}");
        assert!(matches!(pool.usage(None).unwrap_err(), Error::StoreUnavailable(_)));
    }
    fs::rename(&away, store.path()).unwrap();
    retain(&pool, "0009", "one").unwrap().keep();
    assert_eq!(holders(&pool), ["one"]);
}

#[test]
fn a_store_that_must_exist_is_not_created() {
    let store = Store::new();
    let error = options().must_exist().open(&store.url()).unwrap_err();
    assert!(matches!(&error, OpenError::Missing { .. }), "{error:?}");
    assert!(error.to_string().contains(store.path().to_str().unwrap()), "{error}");
    assert!(store.names().is_empty());
    drop(store.open());
    options().must_exist().open(&store.url()).unwrap();
}

#[test]
fn a_store_may_be_waited_for_without_end() {
    let store = Store::new();
    let pool = options().patience(Duration::MAX).open(&store.url()).unwrap();
    pool.install(license("A", 1).as_bytes()).unwrap();
    assert_eq!(pool.licenses().unwrap(), ["A"]);
}

#[test]
fn any_lease_and_grace_may_be_asked_for_and_each_is_held_to_its_bounds() {
    let days = Duration::from_hours(3 * 24);
    for (asked, seconds) in [
        (Duration::ZERO, (1, 0)),
        (days, (86_400, 3 * 86_400)),
        (Duration::MAX, (86_400, 365 * 86_400)),
    ] {
        let named = options().server("east".parse().unwrap()).lease(asked).grace(asked);
        let store = Store::new();
        let pool = named.open(&store.url()).unwrap();
        let server = &pool.servers().wait().unwrap()[0];
        assert_eq!((server.lease_seconds.get(), server.grace_seconds.get()), seconds);
    }
}

#[test]
fn a_missing_store_is_named_by_its_absolute_path() {
    let error = options().must_exist().open("sqlite:no/such.db").unwrap_err();
    let OpenError::Missing { store } = error else { panic!("{error:?}") };
    assert!(Path::new(&store).is_absolute() && store.ends_with("no/such.db"), "{store}");
}

#[test]
fn a_file_of_something_else_is_refused_and_left_as_it_is() {
    for write in [
        "CREATE TABLE entry (ledger); CREATE TABLE store (format); INSERT INTO store VALUES (1)",
        "PRAGMA journal_mode = wal; CREATE TABLE t (x)",
        "PRAGMA application_id = 7; VACUUM",
    ] {
        let store = Store::new();
        let file = Connection::open(store.path()).unwrap();
        // As a process leaves it that was killed: what it wrote last stands in a log beside it.
        file.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        file.execute_batch(write).unwrap();
        drop(file);
        let before = store.content();
        assert_eq!(before.len(), if write.contains("wal") { 2 } else { 1 });
        refuse(&store);
        assert!(store.content() == before, "{write}");
    }
    let store = Store::new();
    fs::write(store.path(), "Dear diary, this is no database.".repeat(200)).unwrap();
    let before = store.content();
    refuse(&store);
    assert!(store.content() == before);
}

fn refuse(store: &Store) {
    for options in [options(), options().must_exist()] {
        let error = options.open(&store.url()).unwrap_err();
        assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    }
}

#[test]
fn a_store_of_a_newer_format_is_refused_and_left_as_it_is() {
    let store = Store::new();
    drop(store.open());
    let file = Connection::open(store.path()).unwrap();
    file.execute("UPDATE store SET format = 3", []).unwrap();
    drop(file);
    let before = store.content();
    let error = options().open(&store.url()).unwrap_err();
    assert!(matches!(error, OpenError::Newer { format: 3, known: 2, .. }), "{error:?}");
    assert!(store.content() == before);
}

#[test]
fn many_may_create_one_store_at_once() {
    let store = Store::new();
    thread::scope(|scope| {
        let opening: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let pool = store.open();
                    pool.install(license("A", 8).as_bytes()).unwrap();
                    pool
                })
            })
            .collect();
        let pools: Vec<Pool> = opening.into_iter().map(|pool| pool.join().unwrap()).collect();
        for (index, pool) in pools.iter().enumerate() {
            retain(pool, "0009", &index.to_string()).unwrap().keep();
        }
        assert_eq!(holders(&pools[0]).len(), 8);
        assert_eq!(pools[0].licenses().unwrap(), ["A"]);
    });
}

#[test]
fn an_auditor_reads_the_log_beside_a_running_pool() {
    let store = Store::new();
    let pool = store.open();
    pool.install(license("A", 2).as_bytes()).unwrap();
    let one = retain(&pool, "0009", "one").unwrap();
    let _two = retain(&pool, "0009", "two").unwrap();
    retain(&pool, "0009", "three").unwrap_err();
    one.release().unwrap();
    let auditor = Connection::open_with_flags(store.path(), OpenFlags::SQLITE_OPEN_READ_ONLY);
    let auditor = auditor.unwrap();
    let ask = |sql: &str| -> Vec<String> {
        let mut statement = auditor.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(
        ask("SELECT concat_ws(' ', sequence, time, kind, token, session_id, cause, code, detail)
             FROM entry WHERE sequence > 1"),
        [
            r#"2 2026-01-05T10:00:00.000Z retained 1 one {"productUsedCount":1,"productBalance":1,"globalProductUsedCount":1}"#,
            r#"3 2026-01-05T10:00:00.000Z retained 2 two {"productUsedCount":2,"productBalance":0,"globalProductUsedCount":2}"#,
            r#"4 2026-01-05T10:00:00.000Z refused three no_license_left {"allowedCount":2,"usedCount":2,"times":1}"#,
            r#"5 2026-01-05T10:00:00.000Z released 1 one released"#,
        ]
    );
    assert_eq!(
        ask("SELECT concat_ws(' ', license_number, product_id, product_name, session_id,
             description ->> 'userName') FROM held"),
        ["A 808464441 4D Client two ann"]
    );
    assert_eq!(ask("SELECT count(*) || '' FROM server"), ["1"]);
    drop((_two, pool));
    assert_eq!(ask("SELECT count(*) || '' FROM server"), ["0"]);
}
