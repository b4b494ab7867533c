//! Stores that older versions wrote: read with nothing lost, and raised to the format of this one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use license_pool::{Error, ManualClock, Pool};
use rusqlite::Connection;

use super::world::{Store, is_refused, license, options, retain};

#[test]
fn a_store_of_each_format_is_opened_with_nothing_lost() {
    let stores = stores();
    assert!(!stores.is_empty());
    for original in stores {
        let store = copy(&original);
        let before = entries(&store);
        let pool = options().must_exist().open(&store.url()).unwrap();
        let check = pool.check().unwrap();
        assert!(check.faults.is_empty() && check.ledgers.iter().all(|it| it.sound), "{check:?}");
        assert_eq!(entries(&store), before);
        assert_eq!(pool.licenses().unwrap(), ["A-1", "B-1"]);
        let office = pool.license("A-1");
        assert_eq!(sessions(&office), ["job-1"]);
        assert_eq!(office.history().count(), 6);
        // Life goes on: two licenses are granted, one is held.
        let seat = retain(&office, "0009", "job-5").unwrap();
        assert_eq!(seat.token().get(), 3);
        assert!(is_refused(retain(&office, "0009", "job-6")));
        drop(seat);
        assert!(pool.check().unwrap().ledgers.iter().all(|it| it.sound));
    }
}

#[test]
fn a_store_that_was_raised_is_what_a_new_one_is() {
    let new = Store::new();
    drop(new.open());
    for original in stores() {
        let store = copy(&original);
        drop(store.open());
        assert_eq!(shape(&store), shape(&new), "{original:?}");
        // To raise it again changes nothing.
        drop(store.open());
        assert_eq!(shape(&store), shape(&new));
    }
}

#[test]
fn a_server_of_format_1_that_still_runs_is_fenced_and_what_it_serves_can_be_adopted() {
    let store = copy(&folder().join("format-1.db"));
    drop(store.open());
    let file = Connection::open(store.path()).unwrap();
    let ask = |sql: &str| -> String { file.query_row(sql, [], |row| row.get(0)).unwrap() };
    // It looked for its instance before every turn; the epoch goes on, so that no two are alike.
    assert_eq!(ask("SELECT concat_ws(' ', name, epoch, instance) FROM server"), "db1:7427 3 ");
    assert_eq!(ask("SELECT group_concat(server || ' ' || ledger) FROM serving"), "local 1");
}

#[test]
fn an_older_store_on_which_nobody_may_write_is_left_as_it_is() {
    let store = copy(&folder().join("format-1.db"));
    let before = store.content();
    // Another program has it: it is not raised, and not half raised.
    let other = Connection::open(store.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let patience = std::time::Duration::from_millis(1);
    options().must_exist().patience(patience).open(&store.url()).unwrap_err();
    drop(other);
    assert!(store.content() == before);
    let pool = store.open();
    assert!(matches!(pool.license("C-1").usage(None), Err(Error::Refused(_))));
}

#[test]
fn figures_of_days_before_a_store_had_any_are_told_from_its_history() {
    let store = Store::new();
    let clock = Arc::new(ManualClock::new("2026-01-05T22:00:00Z".parse().unwrap()));
    let open = || Pool::options().local().clock(clock.clone()).open(&store.url()).unwrap();
    let days = |pool: &Pool| pool.days(Timestamp::MIN..Timestamp::MAX).wait().unwrap();
    let pool = open();
    pool.install(license("A", 2).as_bytes()).unwrap();
    retain(&pool, "0009", "kept").unwrap().keep();
    for day in 0..5 {
        let seat = retain(&pool, "0009", &format!("job-{day}")).unwrap();
        assert!(is_refused(retain(&pool, "0009", "none-left")));
        clock.advance(SignedDuration::from_hours(7 * (day + 1)));
        drop(seat);
    }
    let before = days(&pool);
    assert_eq!(before.len(), 6);
    drop(pool);
    lower(&store);
    assert_eq!(days(&open()), before);
}

#[test]
fn who_serves_what_he_did_not_retain_is_known_when_a_store_is_raised() {
    let store = Store::new();
    let server = |name: &str| {
        let pool = options().server(name.parse().unwrap()).open(&store.url()).unwrap();
        pool.install(license("A", 2).as_bytes()).unwrap();
        pool
    };
    let (east, west) = (server("east"), server("west"));
    retain(&east, "0009", "moves").unwrap().keep();
    retain(&west, "0009", "moves").unwrap().keep();
    drop((east, west));
    lower(&store);
    drop(options().local().open(&store.url()).unwrap());
    let file = Connection::open(store.path()).unwrap();
    let serving = "SELECT group_concat(server || ' ' || ledger) FROM serving";
    let serving: String = file.query_row(serving, [], |row| row.get(0)).unwrap();
    assert_eq!(serving, "west 1");
}

/// Makes a store of format 1 of one that nobody has open.
fn lower(store: &Store) {
    let file = Connection::open(store.path()).unwrap();
    file.execute_batch(
        "DROP TABLE serving; DROP TABLE silence; DROP TABLE credential; DROP TABLE figure;
         DROP TABLE snapshot; ALTER TABLE store DROP COLUMN sealed_to;
         ALTER TABLE server DROP COLUMN transient; UPDATE store SET format = 1;",
    )
    .unwrap();
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stores")
}

/// A store of each format, as the version wrote it that knew no newer one.
fn stores() -> Vec<PathBuf> {
    fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn copy(original: &Path) -> Store {
    let store = Store::new();
    fs::copy(original, store.path()).unwrap();
    store
}

/// Every line of the log, as it is written.
fn entries(store: &Store) -> Vec<String> {
    let file = Connection::open(store.path()).unwrap();
    let columns = "ledger, sequence, time, server, epoch, batch, principal, kind, product_id, \
        product_name, token, session_id, cause, code, reason, detail, description_digest, chain, \
        description, document";
    let sql = format!("SELECT concat_ws('|', {columns}) FROM entry ORDER BY ledger, sequence");
    let mut statement = file.prepare(&sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Every table and view with its columns, and every index.
fn shape(store: &Store) -> Vec<String> {
    let file = Connection::open(store.path()).unwrap();
    let mut statement = file
        .prepare(
            "SELECT concat_ws(' ', s.type, s.name, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk)
             FROM sqlite_schema s, pragma_table_xinfo(s.name) c
             UNION ALL SELECT 'format ' || format FROM store
             UNION ALL SELECT concat_ws(' ', name, wr, strict) FROM pragma_table_list
             ORDER BY 1",
        )
        .unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn sessions(pool: &Pool) -> Vec<String> {
    pool.held(None).unwrap().iter().map(|held| held.record.session.to_string()).collect()
}
