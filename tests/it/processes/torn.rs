//! What a process that was killed left in the log beside the file, cut off or damaged: whatever is read
//! of it is a shorter history, never a wrong one.

use std::fs;

use license_pool::Pool;

use super::worker::Worker;
use crate::pool::world::{Store, license, options, retain};

const GARBAGE: [u8; 23] = [0xA5; 23];
/// So many places are tried.
const PLACES: usize = 40;

#[test]
fn a_log_that_was_cut_off_or_damaged_is_read_as_far_as_it_is_whole() {
    let store = Store::new();
    let pool = options().local().open(&store.url()).unwrap();
    pool.install(license("A", 5).as_bytes()).unwrap();
    drop(pool);
    let worker = Worker::start(&["load", store.path().to_str().unwrap(), "east", "1"]);
    (0..30).for_each(|_| drop(worker.next()));
    worker.kill();
    let log = store.path().with_extension("db-wal");
    let [file, whole] = [store.path(), log].map(|path| fs::read(path).unwrap());
    let left = |log: &[u8]| {
        let copy = Store::new();
        fs::write(copy.path(), &file).unwrap();
        fs::write(copy.path().with_extension("db-wal"), log).unwrap();
        let pool = options().local().must_exist().open(&copy.url()).unwrap();
        let check = pool.check().unwrap();
        assert!(check.faults.is_empty() && check.ledgers[0].sound, "{check:?}");
        let history = history(&pool);
        // Life goes on from there.
        drop(retain(&pool, "0009", "after"));
        assert!(pool.check().unwrap().ledgers[0].sound);
        history
    };
    let full = left(&whole);
    let mut shorter = 0;
    for offset in (0..whole.len()).step_by(whole.len() / PLACES) {
        let mut damaged = whole.clone();
        let end = (offset + GARBAGE.len()).min(whole.len());
        damaged[offset..end].copy_from_slice(&GARBAGE[..end - offset]);
        for log in [&whole[..offset], &damaged] {
            let rest = left(log);
            assert!(full.starts_with(&rest), "{offset}: {rest:?} is not how {full:?} began");
            shorter += usize::from(rest.len() < full.len());
        }
    }
    assert!(shorter > PLACES, "only {shorter} of {} were shorter", 2 * PLACES);
}

fn history(pool: &Pool) -> Vec<String> {
    pool.history().map(|entry| entry.unwrap().chain.to_string()).collect()
}
