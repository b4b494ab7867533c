//! A store that fails at any point: what was acknowledged is there afterwards, what was refused to
//! have been done is not, and nothing is ever sold twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use license_pool::log::{Asked, Log, LogError, Mark, MemoryLog, News, Turn, TurnError};
use license_pool::{Alarms, Error, Pool, Seat};
use license_tests::around::{Around, Outside};

use super::world::{holders, license, options, retain};

/// How an operation of the log fails.
#[derive(Clone, Copy, Debug)]
pub(super) enum Failure {
    /// Before anything was done.
    Before,
    /// After everything was decided; nothing is appended, and the log says so.
    Dropped,
    /// Likewise, but the log does not know.
    Lost,
    /// Everything is appended, but the log does not know.
    Unanswered,
}

#[test]
fn whatever_operation_of_the_log_fails_nothing_acknowledged_is_lost() {
    let mut told = BTreeMap::new();
    for failure in [Failure::Before, Failure::Dropped, Failure::Lost, Failure::Unanswered] {
        for landed in [true, false] {
            // Until no operation is left that could fail.
            for nth in 1.. {
                if !one_failure(failure, landed, nth, &mut told) {
                    break;
                }
            }
        }
    }
    // Each kind of failure was met, and none but these.
    assert_eq!(told.keys().copied().collect::<Vec<_>>(), ["outcome unknown", "store unavailable"]);
}

/// Plays the scenario once with the `nth` operation failing; says whether there were that many.
fn one_failure(
    failure: Failure,
    landed: bool,
    nth: u64,
    told: &mut BTreeMap<&'static str, u64>,
) -> bool {
    let what = format!("{failure:?}, landed answers: {landed}, operation {nth}");
    let log = MemoryLog::default();
    let before = options().open_log(log.clone()).unwrap();
    before.install(license("A", 2).as_bytes()).unwrap();
    let countdown = Arc::new(AtomicU64::new(0));
    let landed = tells(landed);
    let breaking = Breaking { log: log.clone(), failure, landed, countdown: countdown.clone() };
    let pool = options().patience(Duration::ZERO).open_log(Outside(breaking)).unwrap();
    countdown.store(nth, Ordering::SeqCst);

    let mut held = BTreeSet::new();
    for step in ["+a", "+b", "+c", "-a", "+c", "+a", "-b", "-c", "+a"] {
        let session = step[1..].to_owned();
        let mut done = held.clone();
        let outcome = if step.starts_with('+') {
            done.insert(session.clone());
            retain(&pool, "0009", &session).map(Seat::keep)
        } else {
            done.remove(&session);
            pool.release(&session, None).map(drop)
        };
        let now: BTreeSet<String> = holders(&before).into_iter().collect();
        let as_promised = match outcome {
            Ok(()) => now == done,
            Err(Error::Refused(_)) => now == held,
            Err(Error::StoreUnavailable(_)) => {
                *told.entry("store unavailable").or_default() += 1;
                now == held
            }
            Err(Error::OutcomeUnknown(_)) => {
                *told.entry("outcome unknown").or_default() += 1;
                now == held || now == done
            }
            Err(other) => panic!("{what}, {step}: {other:?}"),
        };
        assert!(as_promised && now.len() <= 2, "{what}, {step}: {held:?} became {now:?}");
        held = now;
    }
    let check = before.check().unwrap();
    assert!(check.ledgers[0].sound, "{what}: {check:?}");
    // A turn that failed is no store that went back in time.
    assert_eq!(pool.alarms(), Alarms::default(), "{what}");
    countdown.load(Ordering::SeqCst) == 0
}

#[test]
fn a_dropped_seat_is_released_once_the_store_is_back() {
    let (pool, countdown) = breaking(Failure::Dropped);
    let seat = retain(&pool, "0009", "one").unwrap();
    countdown.store(1, Ordering::SeqCst);
    drop(seat);
    // Whoever asks while the release fails may see the license held, but nobody after that.
    holders(&pool);
    assert_eq!(countdown.load(Ordering::SeqCst), 0, "the release met the failure");
    assert!(holders(&pool).is_empty());
}

#[test]
fn a_seat_whose_license_was_released_before_costs_no_turn() {
    let (pool, countdown) = breaking(Failure::Dropped);
    let seat = retain(&pool, "0009", "one").unwrap();
    pool.release("one", None).unwrap();
    countdown.store(100, Ordering::SeqCst);
    drop(seat);
    holders(&pool);
    assert_eq!(countdown.load(Ordering::SeqCst), 99, "only the report asked the store");
}

/// A pool on a log that fails so, once the countdown is set.
fn breaking(failure: Failure) -> (Pool, Arc<AtomicU64>) {
    let countdown = Arc::new(AtomicU64::new(0));
    let log = Breaking {
        log: MemoryLog::default(),
        failure,
        landed: tells(true),
        countdown: countdown.clone(),
    };
    let pool = options().open_log(Outside(log)).unwrap();
    pool.install(license("A", 1).as_bytes()).unwrap();
    (pool, countdown)
}

/// A log of which one operation fails: the one that counts down to zero.
pub(super) struct Breaking {
    pub(super) log: MemoryLog,
    pub(super) failure: Failure,
    /// What it tells afterwards of a turn.
    pub(super) landed: Box<Landed>,
    pub(super) countdown: Arc<AtomicU64>,
}

pub(super) type Landed = dyn FnMut(&mut MemoryLog, &Mark) -> Result<bool, LogError> + Send;

/// Whether it can tell afterwards what became of a turn.
fn tells(landed: bool) -> Box<Landed> {
    Box::new(move |log, mark| if landed { log.landed(mark) } else { Err(broken()) })
}

impl Breaking {
    fn fails(&self) -> bool {
        let count = |left: u64| left.checked_sub(1);
        self.countdown.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count) == Ok(1)
    }

    fn or_fail(&self) -> Result<(), LogError> {
        if self.fails() { Err(broken()) } else { Ok(()) }
    }
}

pub(super) fn broken() -> LogError {
    LogError::Unavailable { action: "do as asked", source: "the test says so".into() }
}

impl Around for Breaking {
    fn inside(&mut self) -> &mut MemoryLog {
        &mut self.log
    }

    fn reach(&mut self, action: &'static str) -> Result<(), LogError> {
        if action == "page" { self.or_fail() } else { Ok(()) }
    }

    fn turn(
        &mut self,
        asked: &[Asked],
        decide: &mut dyn FnMut(News) -> Turn,
    ) -> Result<(), TurnError> {
        if !self.fails() {
            return self.log.turn(asked, decide);
        }
        match self.failure {
            Failure::Before => return Err(TurnError::Dropped(broken())),
            Failure::Dropped | Failure::Lost => {
                let mut dropping = |news| {
                    decide(news);
                    Turn::default()
                };
                self.log.turn(asked, &mut dropping)?;
            }
            Failure::Unanswered => self.log.turn(asked, decide)?,
        }
        match self.failure {
            Failure::Before | Failure::Dropped => Err(TurnError::Dropped(broken())),
            Failure::Lost | Failure::Unanswered => Err(TurnError::Unknown(broken())),
        }
    }

    fn landed(&mut self, mark: &Mark) -> Result<bool, LogError> {
        (self.landed)(&mut self.log, mark)
    }

    fn catch_up(&mut self, asked: &[Asked]) -> Result<News, LogError> {
        self.or_fail()?;
        self.log.catch_up(asked)
    }
}
