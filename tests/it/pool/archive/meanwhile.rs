//! What happens to a log while it is archived, or while others read it: it goes back, it is shortened,
//! or somebody comes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;
use license_core::Chunk;
use license_pool::log::{Archive as _, LedgerId, Log, LogError, MemoryLog};
use license_pool::{InstallOptions, ManualClock, Pool};
use license_tests::around::{Around, Outside};

use super::{described, history, retain};
use crate::pool::world::{Shortened, clock, license};

#[test]
fn what_is_deleted_while_it_is_read_is_no_fault() {
    let clock = clock();
    let log = MemoryLog::default();
    let pool = Pool::options().clock(clock.clone()).open_log(log.clone()).unwrap();
    pool.install(license("A", 1).as_bytes()).unwrap();
    // More than are read at once.
    for session in 0..600 {
        retain(&pool, "0009", &format!("s-{session}")).unwrap().release().unwrap();
    }
    pool.close().wait().unwrap();
    clock.advance(SignedDuration::from_hours(1));
    for reads in 1..6 {
        let shortened = || {
            let log = log.backup();
            let shortened = Shortened { log, clock: clock.clone(), reads };
            Pool::options().clock(clock.clone()).open_log(Outside(shortened)).unwrap()
        };
        assert_eq!(shortened().usage(None).unwrap(), []);
        let check = shortened().check().unwrap();
        assert!(check.ledgers[0].sound, "{check:?}");
        let chain = shortened().verify_chain(|_| ()).unwrap();
        assert!(chain.fault.is_none(), "{reads}: {chain:?}");
        assert_eq!(chain.last, 1201);
    }
}

/// A log of which other snapshots are kept before one is read for the first time.
struct Replaced {
    log: MemoryLog,
    was: bool,
}

impl Around for Replaced {
    fn inside(&mut self) -> &mut MemoryLog {
        &mut self.log
    }

    fn reach(&mut self, action: &'static str) -> Result<(), LogError> {
        if action == "read a snapshot" && !self.was {
            self.was = true;
            let pool = Pool::options().local().clock(clock()).open_log(self.log.clone()).unwrap();
            for session in ["x", "y"] {
                retain(&pool, "0009", session).unwrap().release().unwrap();
                pool.archive().unwrap();
            }
        }
        Ok(())
    }
}

#[test]
fn a_snapshot_that_another_took_the_place_of_is_not_missed() {
    let (clock, log) = (clock(), MemoryLog::default());
    let pool = Pool::options().local().clock(clock.clone()).open_log(log.clone()).unwrap();
    pool.install(license("A", 1).as_bytes()).unwrap();
    retain(&pool, "0009", "gone").unwrap().release().unwrap();
    clock.advance(SignedDuration::from_hours(1));
    let options = Pool::options().clock(clock.clone()).history(Duration::ZERO);
    options.open_log(log.clone()).unwrap().archive().unwrap();
    let replaced = || {
        let replaced = Replaced { log: log.backup(), was: false };
        Pool::options().local().clock(clock.clone()).open_log(Outside(replaced)).unwrap()
    };
    let check = replaced().check().unwrap();
    assert!(check.ledgers[0].sound, "{check:?}");
    let chain = replaced().verify_chain(|_| ()).unwrap();
    assert!(chain.first > 1 && chain.fault.is_none(), "{chain:?}");
}

/// A log whose license is renewed under another number when it is read for the first time.
struct Renewed {
    log: MemoryLog,
    renewal: Option<InstallOptions>,
}

impl Around for Renewed {
    fn inside(&mut self) -> &mut MemoryLog {
        &mut self.log
    }

    fn reach(&mut self, action: &'static str) -> Result<(), LogError> {
        if action == "page"
            && let Some(renewal) = self.renewal.take()
        {
            let pool = Pool::options().open_log(self.log.clone()).unwrap();
            pool.install_with(license("A-2", 2).as_bytes(), renewal).wait().unwrap();
        }
        Ok(())
    }
}

#[test]
fn a_license_that_is_renewed_while_its_store_is_checked_is_no_fault() {
    let log = MemoryLog::default();
    Pool::options().open_log(log.clone()).unwrap().install(license("A", 1).as_bytes()).unwrap();
    let renewal = Some(InstallOptions { replaces: Some("A".to_owned()), dry_run: false });
    let pool = Pool::options().open_log(Outside(Renewed { log, renewal })).unwrap();
    let check = pool.check().unwrap();
    assert!(check.ledgers[0].sound, "{check:?}");
    assert_eq!(check.ledgers[0].license_numbers, ["A", "A-2"]);
}

/// A log that goes back to another once something was done that bears this name.
struct GoesBack {
    log: MemoryLog,
    to: Arc<Mutex<Option<MemoryLog>>>,
    when: &'static str,
}

impl Around for GoesBack {
    fn inside(&mut self) -> &mut MemoryLog {
        &mut self.log
    }

    fn written(&mut self, action: &'static str) -> Result<(), LogError> {
        if let Some(to) = self.to.lock().unwrap().take_if(|_| action == self.when) {
            self.log.restore(&to);
        }
        Ok(())
    }

    fn for_archivist(&self) -> Option<Box<dyn Log>> {
        let (log, to) = (self.log.clone(), self.to.clone());
        Some(Box::new(Outside(GoesBack { log, to, when: self.when })))
    }
}

#[test]
fn nothing_is_deleted_for_a_snapshot_of_what_the_store_knew_before_it_went_back() {
    let id = LedgerId(1);
    // It goes back before the snapshot is looked at, or when that was believed and nothing deleted.
    for amid in [false, true] {
        let (clock, mut log) = (clock(), MemoryLog::default());
        let open = |log: &MemoryLog, to| {
            let (log, to) = (log.clone(), Arc::new(Mutex::new(to)));
            let log = GoesBack { log, to, when: "delete a snapshot" };
            let options = Pool::options().local().clock(clock.clone()).history(Duration::ZERO);
            options.open_log(Outside(log)).unwrap()
        };
        let pool = open(&log, None);
        pool.install(license("A", 9).as_bytes()).unwrap();
        retain(&pool, "0009", "one").unwrap().keep();
        let before = log.backup();
        retain(&pool, "0009", "lost").unwrap().keep();
        clock.advance(SignedDuration::from_hours(1));
        let knew = log.backup();
        pool.archive().unwrap();
        let mark = log.snapshots(id).unwrap().remove(0);
        let mut chunk = |number| log.chunk(id, mark.sequence, number).unwrap().unwrap();
        let lost: Vec<_> = (0..mark.chunks).map(&mut chunk).collect();
        log.restore(&before);
        retain(&open(&log, None), "0009", "two").unwrap().keep();
        clock.advance(SignedDuration::from_hours(1));
        // Who is late writes the snapshot of what is lost all the same.
        for (number, bytes) in (0..).zip(lost) {
            let digest = (number + 1 == mark.chunks).then_some(mark.digest);
            log.keep(id, mark.sequence, number, &Chunk { bytes, digest }).unwrap();
        }
        let to = amid.then(|| {
            let to = log.backup();
            log.restore(&knew);
            to
        });
        open(&log, to).archive().unwrap();
        assert_eq!(log.page(id, 0, 1).unwrap()[0].sequence, 1, "amid: {amid}");
        let held = open(&log, None).held(None).unwrap();
        let sessions: Vec<&str> = held.iter().map(|held| held.record.session.as_str()).collect();
        assert_eq!(sessions, ["one", "two"]);
    }
}

#[test]
fn no_identity_is_erased_for_who_held_nothing_before_the_store_went_back() {
    let (clock, log) = (clock(), MemoryLog::default());
    let options = || Pool::options().local().clock(clock.clone()).identities(Duration::ZERO);
    let pool = options().open_log(log.clone()).unwrap();
    pool.install(license("A", 9).as_bytes()).unwrap();
    retain(&pool, "0009", "one").unwrap().keep();
    let to = Arc::new(Mutex::new(Some(log.backup())));
    pool.release("one", None).unwrap();
    clock.advance(SignedDuration::from_hours(1));
    let goes_back = GoesBack { log: log.clone(), to, when: "keep a snapshot" };
    options().open_log(Outside(goes_back)).unwrap().archive().unwrap();
    let entries = history(&options().open_log(log).unwrap());
    assert_eq!(described(entries.last().unwrap()), (Some("one"), true));
}

/// A log in which somebody retains a license while a snapshot is written, for a long time.
struct TakesLong {
    log: MemoryLog,
    clock: Arc<ManualClock>,
}

impl Around for TakesLong {
    fn inside(&mut self) -> &mut MemoryLog {
        &mut self.log
    }

    fn written(&mut self, action: &'static str) -> Result<(), LogError> {
        if action == "keep a snapshot" {
            let pool = Pool::options().local().clock(self.clock.clone());
            retain(&pool.open_log(self.log.clone()).unwrap(), "0009", "later").unwrap().keep();
            self.clock.advance(SignedDuration::from_hours(1));
        }
        Ok(())
    }

    fn for_archivist(&self) -> Option<Box<dyn Log>> {
        let (log, clock) = (self.log.clone(), self.clock.clone());
        Some(Box::new(Outside(TakesLong { log, clock })))
    }
}

#[test]
fn the_identity_of_who_came_while_it_was_archived_is_not_erased() {
    let (clock, log) = (clock(), MemoryLog::default());
    let takes_long = Outside(TakesLong { log: log.clone(), clock: clock.clone() });
    let options = Pool::options().local().clock(clock).identities(Duration::from_secs(60));
    let pool = options.open_log(takes_long).unwrap();
    pool.install(license("A", 9).as_bytes()).unwrap();
    drop(retain(&pool, "0009", "gone").unwrap());
    retain(&pool, "0009", "holds").unwrap().keep();
    pool.archive().unwrap();
    let entries = history(&pool);
    let mut told: Vec<_> = entries.iter().map(described).filter(|it| it.0.is_some()).collect();
    told.sort_unstable();
    assert_eq!(told, [(Some("gone"), false), (Some("holds"), true), (Some("later"), true)]);
}
