//! A process that does not go on in its turn: others are told which, sell nothing meanwhile, and go on
//! as soon as it does, or dies.

use std::time::Duration;

use license_pool::{Error, Seat};

use super::worker::Worker;
use crate::pool::world::{Store, holders, license, options, retain};

#[test]
fn a_frozen_process_that_has_the_turn_is_named_and_stands_in_nobodys_way_for_ever() {
    let store = Store::new();
    let pool = options().patience(Duration::from_millis(1)).open(&store.url()).unwrap();
    pool.install(license("A", 9).as_bytes()).unwrap();
    for dies in [false, true] {
        let worker = Worker::start(&["turn", store.path().to_str().unwrap()]);
        assert_eq!(worker.next(), "turn");
        worker.signal("-STOP");
        let error = retain(&pool, "0009", "one").unwrap_err();
        let Error::StoreBusy(source) = error else { panic!("{error:?}") };
        let named = format!("process {} ", worker.id());
        assert!(source.to_string().contains(&named), "{source}");
        assert!(holders(&pool).is_empty(), "what is held can still be read");
        if dies {
            worker.kill();
        } else {
            worker.signal("-CONT");
            worker.end();
        }
        // Its patience is so short that a busy machine may not even wake it within.
        let again = |error: &Error| matches!(error, Error::StoreBusy(_));
        while retain(&pool, "0009", "one").map(Seat::keep).is_err_and(|error| again(&error)) {}
        while pool.release("one", None).is_err_and(|error| again(&error)) {}
        assert!(holders(&pool).is_empty());
    }
}
