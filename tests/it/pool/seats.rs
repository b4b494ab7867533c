//! Seats: a license is held for exactly as long as somebody holds the value.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use license_pool::log::MemoryLog;
use license_pool::{Error, Pool, Refusal, Retain, Session};

use super::world::{Store, holders, is_refused, license, options, retain, sample};

#[test]
fn dropping_a_seat_releases_its_license() {
    let pool = sample();
    let seat = retain(&pool, "0025", "one").unwrap();
    assert!(is_refused(retain(&pool, "0025", "two")));
    drop(seat);
    let seat = retain(&pool, "0025", "two").unwrap();
    assert_eq!(seat.token().get(), 2);
}

#[test]
fn a_seat_can_be_dropped_on_any_thread() {
    let pool = sample();
    let seat = retain(&pool, "0025", "one").unwrap();
    thread::spawn(move || drop(seat)).join().unwrap();
    assert!(holders(&pool).is_empty());
}

#[test]
fn two_seats_of_one_session_are_one_retention_until_the_last_is_dropped() {
    let pool = sample();
    let first = retain(&pool, "0009", "one").unwrap();
    let second = retain(&pool, "0009", "one").unwrap();
    assert_eq!((first.token(), first.is_new()), (second.token(), true));
    assert!(!second.is_new());
    drop(first);
    assert_eq!(holders(&pool), ["one"]);
    drop(second);
    assert!(holders(&pool).is_empty());
}

#[test]
fn a_seat_that_is_asked_for_while_another_of_its_session_is_dropped_is_held() {
    let (pool, mut driver) = options().open_driven(MemoryLog::default()).unwrap();
    let installed = pool.install_with(license("A", 1).as_bytes(), Default::default());
    let ask = || pool.retain_async("0009", "one", Session::rest("ann", "one", "127.0.0.1"));
    let first = ask();
    driver.step();
    installed.try_take().unwrap().unwrap();
    let first = first.try_take().unwrap().unwrap();
    // Both are there before either is seen to.
    let second = ask();
    drop(first);
    driver.step();
    let second = second.try_take().unwrap().unwrap();
    let held = pool.held_async(None);
    driver.step();
    assert_eq!(held.try_take().unwrap().unwrap()[0].record.token, second.token());
}

#[test]
fn a_seat_that_is_dropped_late_leaves_a_newer_retention_alone() {
    let pool = sample();
    let old = retain(&pool, "0009", "one").unwrap();
    pool.release("one", None).unwrap();
    let new = retain(&pool, "0009", "one").unwrap();
    assert_ne!(old.token(), new.token());
    drop(old);
    assert_eq!(holders(&pool), ["one"]);
}

#[test]
fn releasing_a_seat_says_when_it_ended_and_a_second_time_that_it_had() {
    let pool = sample();
    let first = retain(&pool, "0009", "one").unwrap();
    let second = retain(&pool, "0009", "one").unwrap();
    let released = first.release().unwrap();
    assert_eq!(released.token.get(), 1);
    assert_eq!(released.time.as_str(), "2026-01-05T10:00:00.000Z");
    let again = second.release();
    assert!(matches!(again, Err(Error::Refused(Refusal::NotRetained { .. }))), "{again:?}");
}

#[test]
fn a_kept_retention_outlives_its_seat_and_the_pool() {
    let store = Store::new();
    let pool = store.open();
    pool.install(license_pool::SAMPLE_LICENSE.as_bytes()).unwrap();
    retain(&pool, "0009", "kept").unwrap().keep();
    drop(pool);
    assert_eq!(holders(&store.open()), ["kept"]);
}

#[test]
fn a_program_may_end_right_after_it_dropped_its_seat() {
    let store = Store::new();
    let pool = store.open();
    pool.install(license_pool::SAMPLE_LICENSE.as_bytes()).unwrap();
    let seats: Vec<_> = (0..10).map(|n| retain(&pool, "0009", &n.to_string()).unwrap()).collect();
    drop(pool);
    drop(seats);
    assert!(holders(&store.open()).is_empty());
}

#[test]
fn a_seat_that_nobody_received_is_released() {
    let pool = sample();
    drop(pool.retain_async("0009", "gone", Session::rest("ann", "gone", "127.0.0.1")));
    let seat = retain(&pool, "0009", "next").unwrap();
    assert_eq!(seat.token().get(), 2);
    assert_eq!(holders(&pool), ["next"]);
    // Who held the license before keeps it; only the second, unreceived seat of it is gone.
    drop(pool.retain_async("0009", "next", Session::rest("ann", "next", "127.0.0.1")));
    assert_eq!(holders(&pool), ["next"]);
    drop(seat);
    assert!(holders(&pool).is_empty());
}

#[test]
fn an_answer_can_be_awaited_without_any_runtime() {
    let pool = sample();
    let seat = block_on(async {
        let session = Session::rest("ann", "one", "127.0.0.1");
        let seat = pool.retain_async("0009", "one", session).await.unwrap();
        assert_eq!(pool.usage_async(None).await.unwrap(), [seat.record()]);
        assert!(pool.info_async().await.unwrap().is_some());
        assert_eq!(pool.renew_async("one", None).await.unwrap().held.len(), 1);
        seat
    });
    block_on(seat.release_async()).unwrap();
    assert!(holders(&pool).is_empty());
}

#[test]
fn closing_waits_for_dropped_seats_and_refuses_what_comes_later() {
    let store = Store::new();
    let pool = store.open();
    pool.install(license_pool::SAMPLE_LICENSE.as_bytes()).unwrap();
    block_on(async {
        let session = Session::rest("ann", "one", "127.0.0.1");
        drop(pool.retain_async("0009", "one", session).await.unwrap());
        pool.close().await.unwrap();
        pool.close().await.unwrap();
    });
    assert!(matches!(pool.usage(None), Err(Error::Closed)));
    assert!(holders(&store.open()).is_empty());
}

#[test]
fn seats_and_pools_go_between_threads() {
    fn check<T: Send + Sync + 'static>() {}
    check::<license_pool::Seat>();
    check::<Pool>();
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn a_session_is_described_in_reasonable_length() {
    let pool = options().open("memory:").unwrap();
    pool.install(license("A", 1).as_bytes()).unwrap();
    let described = |bytes: usize| Session::rest("a".repeat(bytes), "one", "127.0.0.1");
    for waits in [false, true] {
        let retain =
            Retain::new("0009".parse().unwrap(), "one".parse().unwrap(), described(1 << 16));
        let error = match waits {
            true => pool.grant(retain, None).wait().unwrap_err(),
            false => pool.retain_with(retain).wait().unwrap_err(),
        };
        assert!(matches!(error, Error::TooLong { most: 65_536, .. }), "{error}");
    }
    assert_eq!(pool.history().count(), 1);
    drop(pool.retain("0009", "one", described(60_000)).unwrap());
}
