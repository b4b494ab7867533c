//! Group commit: whatever waits while a turn is taken becomes the next turn.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use jiff::SignedDuration;
use license_pool::log::{Asked, Log, MemoryLog, News, Turn, TurnError};
use license_pool::{Pending, Pool, Seat, Session};
use license_tests::around::{Around, Outside};

use super::world::{Store, clock, holders, license, options};

#[test]
fn what_waits_during_a_turn_shares_the_next_one() {
    let (gate, log) = Gate::new();
    let pool = options().open_log(log).unwrap();
    pool.install(license("A", 100).as_bytes()).unwrap();
    gate.hold();
    let first = retain(&pool, "0009", "first");
    gate.entered();
    let waiting: Vec<_> = (0..99).map(|n| retain(&pool, "0009", &n.to_string())).collect();
    let refused = retain(&pool, "0009", "refused");
    gate.open();
    let _first = first.wait().unwrap();
    let _seats: Vec<_> = waiting.into_iter().map(|pending| pending.wait().unwrap()).collect();
    refused.wait().unwrap_err();

    let history: Vec<_> = pool.history().map(Result::unwrap).collect();
    let batches: BTreeSet<_> = history[2..].iter().map(|entry| entry.batch.as_str()).collect();
    assert_eq!((history.len(), batches.len()), (102, 1), "{batches:?}");
    assert!(!batches.contains(history[1].batch.as_str()));
}

#[test]
fn what_comes_while_another_process_has_its_turn_shares_the_next_one() {
    let store = Store::new();
    let pool = store.open();
    pool.install(license("A", 100).as_bytes()).unwrap();
    let beside = |suffix| File::open(store.path().with_extension(suffix)).unwrap();
    let (line, turn) = (beside("db-line"), beside("db-turn"));
    turn.lock().unwrap();
    let first = retain(&pool, "0009", "first");
    while line.try_lock().is_ok() {
        line.unlock().unwrap();
        std::thread::yield_now();
    }
    let waiting: Vec<_> = (0..20).map(|n| retain(&pool, "0009", &n.to_string())).collect();
    drop(turn);
    let _seats: Vec<_> =
        [first].into_iter().chain(waiting).map(|pending| pending.wait().unwrap()).collect();
    let history: Vec<_> = pool.history().map(Result::unwrap).collect();
    let batches: BTreeSet<_> = history[1..].iter().map(|entry| entry.batch.as_str()).collect();
    assert_eq!((history.len(), batches.len()), (22, 1), "{batches:?}");
}

#[test]
fn a_turn_serves_many_licenses_at_once() {
    let (gate, log) = Gate::new();
    let pool = options().open_log(log).unwrap();
    for number in ["A", "B", "C"] {
        pool.install(license(number, 1).as_bytes()).unwrap();
    }
    gate.hold();
    let first = pool.license("A").release_async("nobody", None);
    gate.entered();
    let [a, b, c] = ["A", "B", "C"].map(|number| pool.license(number));
    let waiting = [&a, &b, &c].map(|license| retain(license, "0009", "one"));
    let refused = retain(&b, "0009", "two");
    gate.open();
    first.wait().unwrap_err();
    let _seats = waiting.map(|pending| pending.wait().unwrap());
    refused.wait().unwrap_err();
    let last = |license: &Pool| license.history().map(Result::unwrap).last().unwrap().batch;
    assert_eq!((last(&a), last(&b)), (last(&b), last(&c)));
}

#[test]
fn a_seat_dropped_while_its_session_asks_again_leaves_the_new_seat_its_license() {
    let (gate, log) = Gate::new();
    let pool = options().open_log(log).unwrap();
    pool.install(license("A", 2).as_bytes()).unwrap();
    let old = retain(&pool, "0009", "one").wait().unwrap();
    gate.hold();
    let other = retain(&pool, "0009", "other");
    gate.entered();
    let again = retain(&pool, "0009", "one");
    drop(old);
    gate.open();
    let (_other, again) = (other.wait().unwrap(), again.wait().unwrap());
    assert_eq!((again.token().get(), again.is_new()), (1, false));
    assert_eq!(holders(&pool), ["one", "other"]);
    drop(again);
    assert_eq!(holders(&pool), ["other"]);
}

#[test]
fn a_turn_that_waited_for_the_store_goes_by_the_time_at_which_it_began() {
    let (gate, log) = Gate::new();
    let clock = clock();
    let pool = Pool::options().clock(clock.clone()).open_log(log).unwrap();
    pool.install(license("A", 1).as_bytes()).unwrap();
    assert!(holders(&pool).is_empty(), "and from here on the pool knows the ledger");
    gate.hold();
    let seat = retain(&pool, "0009", "one");
    gate.entered();
    clock.advance(SignedDuration::from_hours(1));
    gate.open();
    assert_eq!(seat.wait().unwrap().record().time.as_str(), "2026-01-05T11:00:00.000Z");
}

fn retain(pool: &Pool, product: &str, session: &str) -> Pending<Seat> {
    pool.retain_async(product, session, Session::rest("ann", session, "127.0.0.1"))
}

/// Holds a turn until a test has put others in the queue.
pub(super) struct Gate {
    held: Arc<AtomicBool>,
    decided: Arc<AtomicBool>,
    entered: Receiver<()>,
    open: Sender<()>,
}

impl Gate {
    pub(super) fn new() -> (Gate, Outside<Gated>) {
        let held = Arc::new(AtomicBool::new(false));
        let decided = Arc::new(AtomicBool::new(false));
        let (enter, entered) = channel();
        let (open, opened) = channel();
        let log = Outside(Gated {
            log: MemoryLog::default(),
            held: held.clone(),
            decided: decided.clone(),
            enter,
            opened,
        });
        (Gate { held, decided, entered, open }, log)
    }

    /// The next turn waits.
    fn hold(&self) {
        self.held.store(true, Ordering::SeqCst);
    }

    /// The next turn waits when it has decided.
    pub(super) fn hold_commit(&self) {
        self.decided.store(true, Ordering::SeqCst);
    }

    /// Waits until that turn waits.
    pub(super) fn entered(&self) {
        self.entered.recv().unwrap();
    }

    /// Lets it go on.
    pub(super) fn open(&self) {
        self.open.send(()).unwrap();
    }
}

pub(super) struct Gated {
    log: MemoryLog,
    held: Arc<AtomicBool>,
    decided: Arc<AtomicBool>,
    enter: Sender<()>,
    opened: Receiver<()>,
}

impl Around for Gated {
    fn inside(&mut self) -> &mut MemoryLog {
        &mut self.log
    }

    fn turn(
        &mut self,
        asked: &[Asked],
        decide: &mut dyn FnMut(News) -> Turn,
    ) -> Result<(), TurnError> {
        if self.held.swap(false, Ordering::SeqCst) {
            self.enter.send(()).unwrap();
            self.opened.recv().unwrap();
        }
        let (decided, enter, opened) = (&self.decided, &self.enter, &self.opened);
        self.log.turn(asked, &mut |news| {
            let turn = decide(news);
            if decided.swap(false, Ordering::SeqCst) {
                enter.send(()).unwrap();
                opened.recv().unwrap();
            }
            turn
        })
    }
}
