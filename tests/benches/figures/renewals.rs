//! What renewals cost: many sessions that renew every 30 seconds, in lists, on SQLite.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use license_pool::log::SqliteLog;
use license_pool::{
    Driver, LeaseSeconds, ManualClock, Pending, Pool, Retain, SAMPLE_LICENSE, Session, SessionId,
};

use crate::figure::{Bound, Figure, median};
use crate::pool::folder;

const SESSIONS: usize = 100_000;
/// How many sessions a client of clients renews at once.
const LIST: usize = 500;
/// In seconds, how often each session renews.
const EVERY: f64 = 30.0;
const ROUNDS: usize = 5;

/// P10: one thread drives the servers, so that what it took is what they took.
pub(crate) fn measure(report: &mut dyn FnMut(Figure)) {
    let folder = folder();
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let mut servers = ["east", "west"].map(|name| {
        let log = SqliteLog::open(&folder.path().join("license.db"), true, Duration::from_secs(10));
        let options = Pool::options().server(name.parse().unwrap()).serving();
        options.clock(clock.clone()).open_driven(log.unwrap()).unwrap()
    });
    let [east, _] = &mut servers;
    let installed = east.0.install_with(SAMPLE_LICENSE.as_bytes(), Default::default());
    answer(&mut east.1, installed).unwrap();
    let sessions: Vec<SessionId> =
        (0..SESSIONS).map(|n| format!("s{n}").parse().unwrap()).collect();
    for sessions in sessions.chunks(LIST) {
        let granted: Vec<_> =
            sessions.iter().map(|session| east.0.grant(retain(session), None)).collect();
        for granted in granted {
            answer(&mut east.1, granted).unwrap();
        }
    }
    let (mut staying, mut wandering, mut entries) = (Vec::new(), Vec::new(), 0.0);
    for _ in 0..ROUNDS {
        staying.push(round_of(&mut servers[0], &sessions).0);
        // There and back again.
        for server in [1, 0] {
            let (took, appended) = round_of(&mut servers[server], &sessions);
            wandering.push(took);
            entries = appended / count(SESSIONS);
        }
    }
    let yardstick = format!("one core for {EVERY} s; {SESSIONS} sessions, lists of {LIST}");
    for (part, took, bound) in [
        ("each session staying with its server", staying, Some(Bound::AtMost(0.1))),
        ("each session through another server every time", wandering, None),
    ] {
        report(Figure {
            goal: "P10",
            part: format!("renewals on SQLite, {part}: processor time ÷ time"),
            value: median(took) / EVERY,
            bound,
            yardstick: yardstick.clone(),
            unit: "ratio",
        });
    }
    report(Figure {
        goal: "P10",
        part: "entries a renewal, each session through another server every time".to_owned(),
        value: entries,
        bound: Some(Bound::AtMost(0.05)),
        yardstick,
        unit: "ratio",
    });
}

/// Renews everything once; gives the seconds of the processor that this took, and how many entries
/// it appended.
fn round_of((pool, driver): &mut (Pool, Driver), sessions: &[SessionId]) -> (f64, f64) {
    let head = |driver: &mut Driver| answer(driver, pool.head_async()).unwrap().sequence;
    let (before, began) = (head(driver), processor_time());
    for sessions in sessions.chunks(LIST) {
        let list = sessions.iter().map(|session| (session.clone(), None)).collect();
        let renewed = answer(driver, pool.renew_all(list)).unwrap();
        assert!(renewed.iter().all(|renewed| renewed.as_ref().is_ok_and(|it| it.held.len() == 1)));
    }
    let took = processor_time() - began;
    (took, count(usize::try_from(head(driver) - before).unwrap()))
}

fn retain(session: &SessionId) -> Retain {
    let describe = Session::rest("ann", session.as_str(), "127.0.0.1");
    let mut retain = Retain::new("0007".parse().unwrap(), session.clone(), describe);
    retain.lease_seconds = Some(LeaseSeconds::new(90).unwrap());
    retain
}

fn answer<T>(driver: &mut Driver, mut pending: Pending<T>) -> Result<T, license_pool::Error> {
    loop {
        pending = match pending.try_take() {
            Ok(answer) => return answer,
            Err(pending) => pending,
        };
        driver.step();
    }
}

/// Seconds that this thread had a processor.
fn processor_time() -> f64 {
    let statistics = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds: f64 = statistics.split(' ').next().unwrap().parse().unwrap();
    nanoseconds / 1e9
}

fn count(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}
