//! A file that was damaged below the entries: found out or harmless, never read as less than it was.

use std::fs;

use super::world::{Store, license, options, retain};

/// As much as a bad sector of a careless copy would leave.
const GARBAGE: [u8; 23] = [0xA5; 23];

#[test]
fn garbage_in_the_file_is_found_out_or_changes_nothing() {
    let store = Store::new();
    let pool = store.open();
    pool.install(license("A", 9).as_bytes()).unwrap();
    for session in ["one", "two", "three"] {
        retain(&pool, "0009", session).unwrap().keep();
    }
    let held = pool.usage(None).unwrap();
    drop(pool);
    let whole = fs::read(store.path()).unwrap();
    let mut found_out = 0;
    for offset in (8..whole.len() - GARBAGE.len()).step_by(101) {
        let mut damaged = whole.clone();
        damaged[offset..offset + GARBAGE.len()].copy_from_slice(&GARBAGE);
        fs::write(store.path(), damaged).unwrap();
        // What cannot be opened is found out, too.
        let check = options().must_exist().open(&store.url()).ok().and_then(|pool| {
            let check = pool.check().ok()?;
            let sound = check.faults.is_empty() && check.ledgers.iter().all(|ledger| ledger.sound);
            sound.then_some(pool)
        });
        match check {
            Some(pool) => assert_eq!(pool.usage(None).unwrap(), held, "garbage at {offset}"),
            None => found_out += 1,
        }
        for beside in ["-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{beside}", store.path().display()));
        }
    }
    assert!(found_out > 20, "only {found_out} damages were found out");
}
