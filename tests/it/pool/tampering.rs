//! A log that somebody changed: its ledger stops, others go on, and the history stays readable.

use license_pool::{Error, Pool};
use rusqlite::Connection;

use super::world::{Store, holders, license, retain};

/// A store with two licenses, each held twice and once released.
fn two_licenses() -> (Store, Pool) {
    let store = Store::new();
    let pool = store.open();
    for number in ["A", "B"] {
        pool.install(license(number, 3).as_bytes()).unwrap();
        let license = pool.license(number);
        for session in ["one", "two", "three"] {
            retain(&license, "0009", session).unwrap().keep();
        }
        license.release("one", None).unwrap();
    }
    (store, pool)
}

/// Changes something in the first ledger's log, and says at which entry that shows.
type Change = (&'static str, u64);

const CHANGES: [Change; 12] = [
    ("UPDATE entry SET time = '2026-01-04T10:00:00.000Z' WHERE ledger = 1 AND sequence = 3", 3),
    ("UPDATE entry SET token = 7 WHERE ledger = 1 AND sequence = 3", 3),
    ("UPDATE entry SET session_id = 'eve' WHERE ledger = 1 AND sequence = 4", 4),
    (
        "UPDATE entry SET description = replace(description, 'ann', 'eve') WHERE ledger = 1 AND sequence = 2",
        2,
    ),
    (
        "UPDATE entry SET document = replace(document, '3', '9') WHERE ledger = 1 AND sequence = 1",
        1,
    ),
    ("UPDATE entry SET kind = 'forgotten' WHERE ledger = 1 AND sequence = 3", 3),
    ("UPDATE entry SET detail = '{' WHERE ledger = 1 AND sequence = 2", 2),
    ("UPDATE entry SET server = 'elsewhere' WHERE ledger = 1 AND sequence = 5", 5),
    ("DELETE FROM entry WHERE ledger = 1 AND sequence = 3", 4),
    ("DELETE FROM entry WHERE ledger = 1 AND sequence = 5", 5),
    ("UPDATE ledger SET chain = 'another' WHERE id = 1", 5),
    ("UPDATE ledger SET sequence = 3 WHERE id = 1", 4),
];

#[test]
fn a_changed_entry_faults_its_ledger_alone() {
    for (change, sequence) in CHANGES {
        let (store, pool) = two_licenses();
        drop(pool);
        let file = Connection::open(store.path()).unwrap();
        assert_eq!(file.execute(change, []).unwrap(), 1, "{change}");
        drop(file);
        let pool = store.open();
        let (a, b) = (pool.license("A"), pool.license("B"));
        for error in [a.usage(None).unwrap_err(), retain(&a, "0009", "four").unwrap_err()] {
            let Error::LedgerFaulted { sequence: at, .. } = error else {
                panic!("{change}: {error:?}")
            };
            assert_eq!(at, sequence, "{change}");
        }
        retain(&b, "0009", "four").unwrap().keep();
        assert_eq!(holders(&b), ["two", "three", "four"]);
        assert!(a.history().next().is_some());

        let check = pool.check().unwrap();
        let [first, second] = &*check.ledgers else { panic!("{check:?}") };
        assert!(!first.sound && second.sound, "{change}: {check:?}");
        let fault = first.fault.as_deref().unwrap();
        assert!(fault.contains(&format!("entry {sequence}")), "{change}: {fault}");
    }
}

#[test]
fn a_chain_is_followed_up_to_an_entry_that_cannot_be_read() {
    let changes = [
        ("UPDATE entry SET kind = 'forgotten' WHERE ledger = 1 AND sequence = 3", 2, 3),
        ("UPDATE entry SET document = '{}' WHERE ledger = 1 AND sequence = 1", 0, 1),
        ("DELETE FROM entry WHERE ledger = 1 AND sequence = 5", 4, 5),
        ("UPDATE ledger SET chain = 'another' WHERE id = 1", 5, 5),
    ];
    for (change, last, sequence) in changes {
        let (store, pool) = two_licenses();
        drop(pool);
        let file = Connection::open(store.path()).unwrap();
        assert_eq!(file.execute(change, []).unwrap(), 1, "{change}");
        drop(file);
        let check = store.open().license("A").verify_chain(|_| ()).unwrap();
        assert_eq!(check.last, last, "{change}");
        let Some(Error::LedgerFaulted { sequence: at, .. }) = check.fault else {
            panic!("{change}: {check:?}")
        };
        assert_eq!(at, sequence, "{change}");
    }
}

#[test]
fn a_change_behind_the_back_of_a_pool_is_noticed_with_the_next_entry() {
    let (store, pool) = two_licenses();
    let other = store.open();
    let a = pool.license("A");
    assert_eq!(holders(&a), ["two", "three"]);
    retain(&other.license("A"), "0009", "four").unwrap().keep();
    let file = Connection::open(store.path()).unwrap();
    file.execute("UPDATE entry SET session_id = 'eve' WHERE ledger = 1 AND sequence = 6", [])
        .unwrap();
    let error = a.usage(None).unwrap_err();
    assert!(matches!(error, Error::LedgerFaulted { sequence: 6, .. }), "{error:?}");
    assert_eq!(holders(&pool.license("B")), ["two", "three"]);
}

#[test]
fn an_erased_description_leaves_the_chain_sound() {
    let (store, pool) = two_licenses();
    drop(pool);
    let file = Connection::open(store.path()).unwrap();
    file.execute("UPDATE entry SET description = NULL", []).unwrap();
    drop(file);
    let pool = store.open();
    assert!(pool.check().unwrap().ledgers.iter().all(|ledger| ledger.sound));
    assert_eq!(holders(&pool.license("A")), ["two", "three"]);
}

#[test]
fn entries_that_no_snapshot_knows_are_missed() {
    let (store, pool) = two_licenses();
    drop(pool);
    let file = Connection::open(store.path()).unwrap();
    let delete = "DELETE FROM entry WHERE ledger = 1 AND sequence < 3";
    assert_eq!(file.execute(delete, []).unwrap(), 2);
    drop(file);
    let pool = store.open();
    let check = pool.license("A").verify_chain(|_| ()).unwrap();
    assert_eq!((check.first, check.last), (3, 5));
    let fault = license_pool::explained(&check.fault.unwrap());
    assert!(fault.contains("entries before 3 are gone"), "{fault}");
    assert!(pool.license("B").verify_chain(|_| ()).unwrap().fault.is_none());
}

#[test]
fn figures_that_cannot_be_read_are_found_out() {
    let (store, pool) = two_licenses();
    drop(pool);
    let file = Connection::open(store.path()).unwrap();
    let figure = "INSERT INTO figure
        VALUES (1, '2026-01-01T00:00:00.000Z', 1, 'Client', -1, 1, 1, 1, 1, 1, 1, 1, 1, 1)";
    assert_eq!(file.execute(figure, []).unwrap(), 1);
    drop(file);
    let ledgers = store.open().check().unwrap().ledgers;
    let fault = ledgers[0].fault.as_ref().unwrap();
    assert!(!ledgers[0].sound && fault.contains("a figure of ledger 1"), "{fault}");
    assert!(ledgers[1].sound);
}
