//! A commit that got no answer: nobody is told anything before it is known what became of it, and what
//! was not made is decided again, as far as somebody still waits for it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;
use license_pool::log::{Asked, LogError, Mark, MemoryLog, News, Turn, TurnError};
use license_pool::{
    Driver, Error, ManualClock, Pending, Pool, Refusal, ReleaseReceipt, Retain, Session,
    SessionState, log::Log as _,
};

use license_tests::around::{Around, Outside};

use super::cluster::Cluster;
use super::faults::{Breaking, Failure, Landed, broken};
use super::world::{clock, holders, license, options, retain};

#[test]
fn what_was_not_made_is_decided_again_before_anybody_is_answered() {
    let mut world = World::new(Failure::Lost, Box::new(|log, mark| log.landed(mark)));
    let granted = world.pool.grant(request("one"), None);
    world.fail_next();
    let granted = world.answer(granted).unwrap();
    assert!(granted.new);
    assert_eq!(holders(&world.other), ["one"]);
    // Each is in the log once, though it was decided twice.
    assert_eq!(world.other.history().count(), 2);
}

#[test]
fn a_renewal_that_was_not_made_is_made_before_it_is_answered() {
    let mut world = World::new(Failure::Lost, Box::new(|log, mark| log.landed(mark)));
    retain(&world.other, "0009", "one").unwrap().keep();
    let renewed = world.pool.renew_async("one", Some(SessionState::Sleeping));
    // The turn that follows upon what is read.
    world.countdown.store(2, Ordering::SeqCst);
    world.driver.step();
    assert_eq!(world.countdown.load(Ordering::SeqCst), 0, "the turn met the failure");
    world.answer(renewed).unwrap();
    let held = world.other.held(None).unwrap();
    assert_eq!(held[0].state, Some(SessionState::Sleeping));
}

#[test]
fn a_release_that_is_decided_again_ends_only_what_it_would_have_ended() {
    // While nobody knows, the session's retention ends and it retains anew, by another server.
    let (mut world, meanwhile) = with_another_at_work(|other| {
        other.release("one", None).unwrap();
        retain(other, "0009", "one").unwrap().keep();
    });
    retain(&world.other, "0009", "one").unwrap().keep();
    *meanwhile.lock().unwrap() = Some(world.other.clone());
    let release = world.pool.release_async("one", None);
    world.fail_next();
    let error = world.answer::<ReleaseReceipt>(release).unwrap_err();
    assert!(matches!(error, Error::Refused(Refusal::NotRetained { .. })), "{error:?}");
    assert_eq!(holders(&world.other), ["one"]);
    assert_eq!(world.other.usage(None).unwrap()[0].token.get(), 2);
}

/// A world whose commits are lost, and in which another does something until that is found out, once
/// it is given a pool to do it by.
fn with_another_at_work(act: fn(&Pool)) -> (World, Arc<Mutex<Option<Pool>>>) {
    let meanwhile: Arc<Mutex<Option<Pool>>> = Arc::default();
    let other = meanwhile.clone();
    let landed = Box::new(move |log: &mut MemoryLog, mark: &Mark| {
        if let Some(other) = other.lock().unwrap().take() {
            act(&other);
        }
        log.landed(mark)
    });
    (World::new(Failure::Lost, landed), meanwhile)
}

/// A world whose commits are lost, and what waits for an answer in it until that is found out.
fn left_by_its_caller<T: Send + 'static>() -> (World, Arc<Mutex<Option<T>>>) {
    let caller: Arc<Mutex<Option<T>>> = Arc::default();
    let gone = caller.clone();
    let landed = Box::new(move |log: &mut MemoryLog, mark: &Mark| {
        drop(gone.lock().unwrap().take());
        log.landed(mark)
    });
    (World::new(Failure::Lost, landed), caller)
}

#[test]
fn a_release_ends_what_one_before_it_would_have_ended_whose_caller_has_gone() {
    let (mut world, caller) = left_by_its_caller();
    retain(&world.other, "0009", "one").unwrap().keep();
    *caller.lock().unwrap() = Some(world.pool.release_async("one", None));
    let again = world.pool.release_async("one", None);
    world.fail_next();
    assert_eq!(world.answer(again).unwrap().released.len(), 1);
    assert!(holders(&world.other).is_empty());
}

#[test]
fn a_session_whose_move_back_got_no_answer_is_not_judged_by_when_it_went_away() {
    for failure in [Failure::Unanswered, Failure::Lost] {
        let cluster = Cluster::new(9, &["west"]);
        let (countdown, unknown) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(1)));
        let landed = cannot_tell(unknown.clone());
        let log = cluster.log.clone();
        let log = Outside(Breaking { log, failure, landed, countdown: countdown.clone() });
        let east = Pool::options().server("east".parse().unwrap()).serving().instance(7);
        cluster.wake("east", east.clock(cluster.clock.clone()).open_driven(log).unwrap());
        cluster.grant("east", "one").unwrap();
        cluster.pass(50);
        cluster.renew("west", "one").unwrap();
        cluster.pass(30);
        // The turn that follows upon what is read.
        countdown.store(2, Ordering::SeqCst);
        let error = cluster.renew("east", "one").unwrap_err();
        assert!(matches!(error, Error::OutcomeUnknown(_)), "{error:?}");
        assert_eq!(unknown.load(Ordering::SeqCst), 0);
        cluster.pass(59);
        assert_eq!(cluster.holders("west"), ["one"], "it may rely on what west told it");
        cluster.pass(120);
        assert!(cluster.holders("west").is_empty());
    }
}

#[test]
fn a_command_whose_caller_has_gone_is_not_decided_again() {
    let (mut world, caller) = left_by_its_caller();
    *caller.lock().unwrap() = Some(world.pool.grant(request("one"), None));
    let stays = world.pool.grant(request("two"), None);
    world.fail_next();
    world.answer(stays).unwrap();
    assert_eq!(holders(&world.other), ["two"]);
}

#[test]
fn whoever_was_refused_at_once_is_not_granted_a_license_when_the_turn_is_decided_again() {
    // While nobody knows, a license is given back.
    let (mut world, meanwhile) = with_another_at_work(|other| {
        other.release("one", None).unwrap();
    });
    let all = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    for session in all {
        retain(&world.other, "0009", session).unwrap().keep();
    }
    *meanwhile.lock().unwrap() = Some(world.other.clone());
    let refused = world.pool.grant(request("late"), None);
    let release = world.pool.release_async("nine", None);
    world.fail_next();
    let told = world.answer(refused);
    assert!(matches!(told, Err(Error::Refused(Refusal::NoLicenseLeft { .. }))), "{told:?}");
    assert_eq!(world.answer(release).unwrap().released.len(), 1);
    assert_eq!(holders(&world.other), all[1..8]);
}

#[test]
fn who_waits_for_what_nobody_knows_is_answered_when_it_is_known() {
    for (failure, made) in [(Failure::Lost, false), (Failure::Unanswered, true)] {
        let away = Arc::new(AtomicU64::new(3));
        let mut world = World::new(failure, cannot_tell(away.clone()));
        let mut granted = world.pool.grant(request("one"), None);
        world.fail_next();
        while away.load(Ordering::SeqCst) > 0 {
            granted = granted.try_take().expect_err("nobody knows yet");
            world.clock.advance(SignedDuration::from_millis(100));
            world.driver.step();
        }
        world.driver.step();
        let granted = world.answer(granted).unwrap();
        assert!(granted.new, "made: {made}");
        assert_eq!(holders(&world.other), ["one"]);
        assert_eq!(world.other.history().count(), 2);
    }
}

/// A log whose turns fail as is planned, and which never tells afterwards what became of one.
struct Planned {
    log: MemoryLog,
    plan: Arc<Mutex<VecDeque<Failure>>>,
}

impl Around for Planned {
    fn inside(&mut self) -> &mut MemoryLog {
        &mut self.log
    }

    fn turn(
        &mut self,
        asked: &[Asked],
        decide: &mut dyn FnMut(News) -> Turn,
    ) -> Result<(), TurnError> {
        match self.plan.lock().unwrap().pop_front() {
            None => self.log.turn(asked, decide),
            Some(Failure::Unanswered) => {
                self.log.turn(asked, decide)?;
                Err(TurnError::Unknown(broken()))
            }
            Some(_) => Err(TurnError::Dropped(broken())),
        }
    }

    fn landed(&mut self, _mark: &Mark) -> Result<bool, LogError> {
        Err(broken())
    }
}

#[test]
fn who_waits_and_may_have_been_granted_it_is_not_told_that_nothing_was_done() {
    let (log, clock, plan) = (MemoryLog::default(), clock(), Arc::new(Mutex::default()));
    let other = options().open_log(log.clone()).unwrap();
    other.install(license("A", 9).as_bytes()).unwrap();
    let planned = Outside(Planned { log, plan: Arc::clone(&plan) });
    let (pool, mut driver) = options().clock(clock.clone()).open_driven(planned).unwrap();
    // Everything is in memory before anything fails.
    let first = pool.usage_async(None);
    driver.step();
    first.try_take().unwrap().unwrap();
    let mut never = VecDeque::from([Failure::Unanswered]);
    never.resize(100, Failure::Before);
    *plan.lock().unwrap() = never;
    let granted = pool.grant(request("one"), Some(Duration::from_secs(5)));
    driver.step();
    assert_eq!(holders(&other), ["one"]);
    clock.advance(SignedDuration::from_secs(6));
    driver.step();
    let error = granted.try_take().unwrap().unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown(_)), "{error:?}");
}

#[test]
fn what_stays_unknown_for_too_long_is_said_to_be_and_a_retry_is_safe() {
    for failure in [Failure::Lost, Failure::Unanswered] {
        let away = Arc::new(AtomicU64::new(u64::MAX));
        let mut world = World::new(failure, cannot_tell(away.clone()));
        let granted = world.pool.grant(request("one"), None);
        world.fail_next();
        let granted = granted.try_take().expect_err("nobody knows yet");
        world.clock.advance(SignedDuration::from_secs(11));
        world.driver.step();
        let error = world.answer(granted).unwrap_err();
        assert!(matches!(error, Error::OutcomeUnknown(_)), "{error:?}");
        away.store(0, Ordering::SeqCst);
        let retry = world.pool.grant(request("one"), None);
        world.driver.step();
        world.answer(retry).unwrap();
        assert_eq!(holders(&world.other), ["one"]);
    }
}

#[test]
fn a_server_that_was_taken_off_the_list_of_those_who_serve_is_put_on_it_again() {
    let times = Arc::new(AtomicU64::new(1));
    let mut world = World::new(Failure::Unanswered, cannot_tell(times));
    let own = world.pool.server().clone();
    let mut listed = || world.log.serving(&own).unwrap().len();
    let one = world.pool.grant(request("one"), None);
    world.driver.step();
    assert!(one.try_take().unwrap().is_ok());
    assert_eq!(listed(), 1);
    // Of this nobody knows whether it was made: it is looked at what is served at all, which is nothing.
    let release = world.pool.release_async("one", None);
    world.countdown.store(1, Ordering::SeqCst);
    for _ in 0..10 {
        world.driver.step();
        world.clock.advance(SignedDuration::from_secs(1));
    }
    assert!(release.try_take().unwrap().is_ok());
    assert_eq!(listed(), 0);
    let two = world.pool.grant(request("two"), None);
    world.driver.step();
    assert!(two.try_take().unwrap().is_ok());
    assert_eq!(listed(), 1);
}

/// A pool that is driven by the test, on a log that fails once, and another beside it.
struct World {
    log: MemoryLog,
    pool: Pool,
    driver: Driver,
    clock: Arc<ManualClock>,
    countdown: Arc<AtomicU64>,
    other: Pool,
}

impl World {
    fn new(failure: Failure, landed: Box<Landed>) -> World {
        let log = MemoryLog::default();
        let other = options().open_log(log.clone()).unwrap();
        other.install(license("A", 9).as_bytes()).unwrap();
        let (countdown, clock) = (Arc::new(AtomicU64::new(0)), clock());
        let inside = log.clone();
        let log = Outside(Breaking { log, failure, landed, countdown: countdown.clone() });
        let options = options().clock(clock.clone()).patience(Duration::from_secs(10));
        let (pool, mut driver) = options.open_driven(log).unwrap();
        // Everything is in memory before anything fails.
        let first = pool.usage_async(None);
        driver.step();
        first.try_take().unwrap().unwrap();
        World { log: inside, pool, driver, clock, countdown, other }
    }

    /// Takes the turn of what waits; it gets no answer.
    fn fail_next(&mut self) {
        self.countdown.store(1, Ordering::SeqCst);
        self.driver.step();
        assert_eq!(self.countdown.load(Ordering::SeqCst), 0, "the turn met the failure");
    }

    fn answer<T>(&mut self, pending: Pending<T>) -> Result<T, Error> {
        pending.try_take().unwrap_or_else(|_| panic!("it was answered"))
    }
}

/// A log that cannot tell of a turn so many times.
fn cannot_tell(times: Arc<AtomicU64>) -> Box<Landed> {
    Box::new(move |log, mark| {
        let left = |left: u64| left.checked_sub(1);
        match times.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left) {
            Ok(_) => Err(broken()),
            Err(_) => log.landed(mark),
        }
    })
}

fn request(session: &str) -> Retain {
    let description = Session::rest("ann", session, "127.0.0.1");
    Retain::new("0009".parse().unwrap(), session.parse().unwrap(), description)
}
