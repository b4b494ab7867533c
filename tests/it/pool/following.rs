//! Who follows a log hears of every entry that is durable, once and in order, whoever appended it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use license_pool::log::{Asked, Log, LogError, MemoryLog, News, Turn, TurnError};
use license_pool::{Driver, Line, Pending, Pool};
use license_tests::around::{Around, Outside};

use super::cluster::{Cluster, leased};
use super::world::{Store, license, options, retain};

fn sequences(lines: &[Arc<Line>]) -> Vec<u64> {
    lines.iter().map(|line| line.sequence()).collect()
}

#[test]
fn every_entry_is_heard_once_and_as_history_tells_it() {
    let store = Store::new();
    let (east, west) = (store.open(), store.open());
    east.install(license("A", 99).as_bytes()).unwrap();
    let mut heard = east.follow(0, 100).wait().unwrap();
    for round in 0..5 {
        let after = heard.last().unwrap().sequence();
        let next = east.follow(after, 100);
        for (pool, turn) in [(&east, 0), (&west, 1), (&west, 2), (&east, 3)] {
            retain(pool, "0009", &format!("{round}-{turn}")).unwrap().keep();
        }
        heard.extend(next.wait().unwrap());
        // Whatever came while nobody asked is not lost.
        while heard.len() < 5 + 4 * round {
            let after = heard.last().unwrap().sequence();
            heard.extend(east.follow(after, 2).wait().unwrap());
        }
    }
    assert_eq!(sequences(&heard), Vec::from_iter(1..=21));
    for (line, entry) in heard.iter().zip(east.history()) {
        let entry = entry.unwrap();
        assert_eq!(line.json(), serde_json::to_string(&entry).unwrap());
        assert_eq!(line.entry(), entry);
    }
}

#[test]
fn all_who_follow_share_what_was_appended_just_now() {
    let cluster = Cluster::new(9, &["east"]);
    let follow = |after| cluster.pool("east").follow(after, 100);
    let first = [follow(1), follow(1)];
    cluster.step("east");
    cluster.grant("east", "one").unwrap();
    let first = first.map(|lines| lines.try_take().unwrap().unwrap());
    assert_eq!(first.each_ref().map(|lines| sequences(lines)), [[2], [2]]);
    assert!(Arc::ptr_eq(&first[0][0], &first[1][0]));
    assert_eq!(sequences(&cluster.ask("east", |pool| pool.follow(0, 1)).unwrap()), [1]);
}

#[test]
fn what_another_server_appends_is_heard_within_a_moment() {
    let cluster = Cluster::new(9, &["east", "west"]);
    let mut after = 1;
    for session in ["one", "two", "three"] {
        let next = cluster.pool("east").follow(after, 100);
        cluster.step("east");
        cluster.grant("west", session).unwrap();
        cluster.clock.advance(jiff::SignedDuration::from_millis(100));
        cluster.step("east");
        cluster.step("east");
        let lines = next.try_take().unwrap().unwrap();
        after += 1;
        assert_eq!(sequences(&lines), [after]);
    }
}

/// A log that takes no turn for a while, once it was decided what to append.
struct Unwilling {
    log: MemoryLog,
    refuses: Arc<AtomicBool>,
}

impl Around for Unwilling {
    fn inside(&mut self) -> &mut MemoryLog {
        &mut self.log
    }

    fn turn(
        &mut self,
        asked: &[Asked],
        decide: &mut dyn FnMut(News) -> Turn,
    ) -> Result<(), TurnError> {
        if !self.refuses.load(Ordering::Relaxed) {
            return self.log.turn(asked, decide);
        }
        decide(self.log.catch_up(asked).map_err(TurnError::Dropped)?);
        let (action, source) = ("write", "the test says so".into());
        Err(TurnError::Dropped(LogError::Unavailable { action, source }))
    }
}

#[test]
fn what_was_decided_and_not_appended_is_never_heard() {
    let refuses = Arc::new(AtomicBool::new(false));
    let log = Outside(Unwilling { log: MemoryLog::default(), refuses: refuses.clone() });
    let (pool, mut driver) = options().open_driven(log).unwrap();
    let ask = |pending: Pending<_>, driver: &mut Driver| {
        driver.step();
        pending.try_take().unwrap()
    };
    let grant = |pool: &Pool, session| pool.grant(leased(session, 90), None);
    drop(pool.install_with(license("A", 9).as_bytes(), Default::default()));
    let next = pool.follow(1, 100);
    driver.step();
    refuses.store(true, Ordering::Relaxed);
    assert!(ask(grant(&pool, "one"), &mut driver).is_err());
    let next = next.try_take().unwrap_err();
    refuses.store(false, Ordering::Relaxed);
    ask(grant(&pool, "two"), &mut driver).unwrap();
    let lines = thread::spawn(move || next.wait());
    while !lines.is_finished() {
        driver.step();
    }
    let lines = lines.join().unwrap().unwrap();
    assert_eq!(sequences(&lines), [2]);
    assert!(lines[0].json().contains(r#""sessionId":"two""#), "{}", lines[0].json());
}
