//! What went wrong once in a simulated world, each told by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use license_pool::log::{Archive, Asked, LedgerId, Log, LogError, MemoryLog, News};
use license_pool::{Error, InstallOptions, Options, Pool};
use license_tests::around::{Around, Outside};

use super::cluster::{Cluster, leased};
use super::world::license;

const LEDGER: LedgerId = LedgerId(1);

/// A way to the store by which nothing can be done, for a while, that bears this name.
struct Faltering {
    log: MemoryLog,
    failing: &'static str,
    fails: Arc<AtomicBool>,
    /// Why not.
    why: fn(&'static str) -> LogError,
}

fn unavailable(action: &'static str) -> LogError {
    LogError::Unavailable { action, source: "the test says so".into() }
}

impl Faltering {
    /// Starts a serving server that has no better way; gives what makes it fail.
    fn start(cluster: &Cluster, server: &str, failing: &'static str) -> Arc<AtomicBool> {
        Faltering::start_for(cluster, server, failing, unavailable)
    }

    fn start_for(
        cluster: &Cluster,
        server: &str,
        failing: &'static str,
        why: fn(&'static str) -> LogError,
    ) -> Arc<AtomicBool> {
        let fails = Arc::new(AtomicBool::new(false));
        let log = Faltering { log: cluster.log.clone(), failing, fails: fails.clone(), why };
        let options = Pool::options().server(server.parse().unwrap()).serving();
        cluster.open_on(Outside(log), server, options);
        fails
    }
}

impl Around for Faltering {
    fn inside(&mut self) -> &mut MemoryLog {
        &mut self.log
    }

    fn reach(&mut self, action: &'static str) -> Result<(), LogError> {
        if action == self.failing && self.fails.load(Ordering::Relaxed) {
            return Err((self.why)(action));
        }
        Ok(())
    }

    fn catch_up(&mut self, asked: &[Asked]) -> Result<News, LogError> {
        self.reach("catch up")?;
        self.log.catch_up(asked)
    }
}

#[test]
fn what_was_adopted_while_the_store_failed_is_judged_all_the_same() {
    let cluster = Cluster::new(1, &["east"]);
    cluster.grant("east", "one").unwrap();
    drop(cluster.stop("east"));
    let fails = Faltering::start(&cluster, "west", "tell silences");
    fails.store(true, Ordering::Relaxed);
    let entries = || cluster.log.clone().page(LEDGER, 2, 100).unwrap().len();
    cluster.pass(300);
    assert_eq!(entries(), 1, "it is adopted");
    fails.store(false, Ordering::Relaxed);
    cluster.pass(200);
    assert_eq!(entries(), 2, "nobody renewed it");
}

#[test]
fn who_does_not_see_who_went_elsewhere_tells_of_nobodys_silence() {
    let cluster = Cluster::new(1, &["east"]);
    let fails = Faltering::start(&cluster, "west", "catch up");
    cluster.grant("west", "one").unwrap();
    cluster.pass(40);
    fails.store(true, Ordering::Relaxed);
    for _ in 0..2 {
        cluster.renew("east", "one").unwrap();
        // West beats meanwhile.
        cluster.pass(30);
    }
    cluster.renew("east", "one").unwrap();
    cluster.start("east");
    cluster.pass(89);
    assert_eq!(cluster.holders("east"), ["one"], "it was heard right before east started anew");
    cluster.pass(1);
    assert!(cluster.holders("east").is_empty());
}

#[test]
fn a_lease_that_runs_out_in_a_store_that_forgot_its_number_breaks_no_log() {
    let cluster = Cluster::new(2, &["east"]);
    cluster.grant("east", "one").unwrap();
    let backup = cluster.log.backup();
    let options = || InstallOptions { replaces: Some("A".to_owned()), dry_run: false };
    let replace = |pool: &Pool| pool.install_with(license("B", 2).as_bytes(), options());
    cluster.ask("east", replace).unwrap();
    cluster.grant("east", "two").unwrap();
    cluster.log.restore(&backup);
    // Twice it begins afresh: when the store is found to have gone back, and when its number is found
    // to lead nowhere.
    cluster.pass(2 * (90 + 15));
    assert_eq!(cluster.history("east", 2), ["east: released one lease_expired"]);
    let page = cluster.ask("east", |pool| pool.page(0, 100)).unwrap();
    assert!(page.iter().map(|entry| entry.sequence.get()).eq(1..=3));
    cluster.grant("east", "three").unwrap();
}

#[test]
fn a_clock_in_2099_for_a_minute_deletes_no_history() {
    let cluster = Cluster::new(9, &["east"]);
    let day = Duration::from_secs(24 * 60 * 60);
    cluster.start_with("east", |options: Options| options.serving().snapshots(4).history(day));
    let come_and_go = |count: usize| {
        for _ in 0..count {
            cluster.grant("east", "one").unwrap();
            cluster.ask("east", |pool| pool.release_async("one", None)).unwrap();
        }
        cluster.pass(30);
    };
    let first = || cluster.log.clone().page(LEDGER, 0, 1).unwrap()[0].sequence;
    come_and_go(10);
    cluster.clock.set("2099-01-01T00:00:00Z".parse().unwrap());
    come_and_go(10);
    assert_eq!(first(), 1);
    assert!(!Archive::snapshots(&mut cluster.log.clone(), LEDGER).unwrap().is_empty());
    cluster.clock.set("2026-01-05T10:02:00Z".parse().unwrap());
    cluster.clock.advance(SignedDuration::from_hours(50));
    come_and_go(10);
    assert!(first() > 20, "what is older than a day is gone");
}

#[test]
fn a_clock_that_is_put_right_soon_after_a_server_began_deletes_no_history() {
    let cluster = Cluster::new(9, &["east"]);
    cluster.grant("east", "one").unwrap();
    cluster.ask("east", |pool| pool.release_async("one", None)).unwrap();
    cluster.clock.set("2099-01-01T00:00:00Z".parse().unwrap());
    let day = Duration::from_secs(24 * 60 * 60);
    cluster.start_with("east", |options: Options| options.serving().history(day));
    cluster.pass(5 * 60);
    cluster.clock.set("2026-01-05T10:05:00Z".parse().unwrap());
    cluster.pass(2 * 3600);
    assert_eq!(cluster.history("east", 0).len(), 3);
}

#[test]
fn who_cannot_show_that_it_lives_hears_nobody() {
    let cluster = Cluster::new(9, &["east"]);
    let fails = Faltering::start(&cluster, "west", "beat");
    cluster.grant("west", "one").unwrap();
    fails.store(true, Ordering::Relaxed);
    cluster.pass(35);
    // Whoever takes it for dead relies on that.
    let is_unavailable = |error: Error| matches!(error, Error::StoreUnavailable(_));
    assert!(is_unavailable(cluster.renew("west", "one").unwrap_err()));
    assert!(is_unavailable(cluster.grant("west", "two").unwrap_err()));
    assert_eq!(cluster.holders("west"), ["one"], "who only asks is told");
    fails.store(false, Ordering::Relaxed);
    cluster.renew("west", "one").unwrap();
    cluster.grant("west", "two").unwrap();
}

#[test]
fn a_lease_does_not_run_out_while_the_store_can_only_be_read() {
    let cluster = Cluster::new(9, &["east"]);
    for why in [unavailable, |_| LogError::Busy { holder: None }] {
        let fails = Faltering::start_for(&cluster, "west", "beat", why);
        cluster.grant("west", "one").unwrap();
        cluster.pass(40);
        fails.store(true, Ordering::Relaxed);
        for _ in 0..80 {
            cluster.pass(1);
            assert_eq!(cluster.holders("west"), ["one"], "who only asks is told");
        }
        fails.store(false, Ordering::Relaxed);
        // What is left of it, counted from when it was heard until the first beat was in vain.
        cluster.pass(44);
        assert_eq!(cluster.holders("west"), ["one"]);
        cluster.pass(60);
        assert!(cluster.holders("west").is_empty());
    }
}

#[test]
fn time_in_which_a_server_could_not_use_the_store_counts_against_nobody() {
    let cluster = Cluster::new(9, &["east"]);
    let fails = Faltering::start(&cluster, "west", "beat");
    let silent = || {
        let servers = cluster.ask("west", Pool::servers).unwrap();
        servers[0].silent_seconds.get()
    };
    cluster.stop("east");
    cluster.pass(60);
    let before = silent();
    assert!(before > 30);
    fails.store(true, Ordering::Relaxed);
    cluster.pass(35);
    fails.store(false, Ordering::Relaxed);
    assert_eq!(silent(), before);
}

#[test]
fn who_is_heard_after_a_silence_is_not_told_so_before_the_store_has_taken_that() {
    let cluster = Cluster::new(9, &["east"]);
    let fails = Faltering::start(&cluster, "west", "beat");
    cluster.grant("west", "one").unwrap();
    cluster.pass(50);
    fails.store(true, Ordering::Relaxed);
    let is_unavailable = |error: Error| matches!(error, Error::StoreUnavailable(_));
    assert!(is_unavailable(cluster.renew("west", "one").unwrap_err()));
    assert!(is_unavailable(cluster.grant("west", "one").unwrap_err()));
    fails.store(false, Ordering::Relaxed);
    cluster.renew("west", "one").unwrap();
}

#[test]
fn who_waits_at_a_server_whose_name_was_taken_is_told_so_at_once() {
    let cluster = Cluster::new(1, &["east"]);
    cluster.grant("east", "one").unwrap();
    let two = cluster.pool("east").grant(leased("two", 90), Some(Duration::from_secs(600)));
    cluster.step("east");
    let two = two.try_take().unwrap_err();
    let east = cluster.stop("east");
    cluster.start("east");
    cluster.wake("the one before", east);
    cluster.pass(1);
    assert!(matches!(two.try_take(), Ok(Err(Error::Fenced(_)))));
}
