//! Load on a pool, for what is measured: callers that retain and release, again and again.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use license_pool::{Pool, Session};

use crate::callers;

/// Without limit in the sample license.
pub const PRODUCT: &str = "0007";

/// What a load met with.
#[derive(Clone, Debug, Default)]
pub struct Met {
    /// Operations, each of them durable.
    pub operations: u64,
    /// How long each of them took.
    pub waits: Vec<Duration>,
    /// How long it went on.
    pub took: Duration,
}

impl Met {
    /// Operations a second.
    pub fn rate(&self) -> f64 {
        self.operations as f64 / self.took.as_secs_f64()
    }

    /// The wait that so many hundredths of all waits do not exceed.
    pub fn percentile(&self, hundredths: usize) -> Duration {
        let mut waits = self.waits.clone();
        waits.sort_unstable();
        waits[(waits.len() * hundredths / 100).min(waits.len() - 1)]
    }
}

/// One blocking caller, for so long.
pub fn one_caller(pool: &Pool, time: Duration) -> Met {
    let mut met = Met::default();
    let start = Instant::now();
    while start.elapsed() < time {
        let before = Instant::now();
        let seat = pool.retain(PRODUCT, "one", session("one")).unwrap();
        let between = Instant::now();
        seat.release().unwrap();
        met.waits.extend([between - before, between.elapsed()]);
        met.operations += 2;
    }
    met.took = start.elapsed();
    met
}

/// Many callers at once, on one thread, for so long. Their sessions begin with `name`.
pub fn many_callers(pool: &Pool, name: &str, callers: usize, time: Duration) -> Met {
    let start = Instant::now();
    let (operations, waits) = (Cell::new(0), RefCell::new(Vec::new()));
    let caller = |index: usize| {
        let (operations, waits) = (&operations, &waits);
        async move {
            let id = format!("{name}-{index}");
            while start.elapsed() < time {
                let before = Instant::now();
                let seat = pool.retain_async(PRODUCT, &id, session(&id)).await.unwrap();
                let between = Instant::now();
                seat.release_async().await.unwrap();
                waits.borrow_mut().extend([between - before, between.elapsed()]);
                operations.set(operations.get() + 2);
            }
        }
    };
    callers::run((0..callers).map(caller).collect());
    let took = start.elapsed();
    Met { operations: operations.get(), waits: waits.into_inner(), took }
}

/// Retains so many licenses and keeps them.
pub fn hold(pool: &Pool, count: usize) {
    const CALLERS: usize = 512;
    let hold = |caller: usize| async move {
        for index in (caller..count).step_by(CALLERS) {
            let id = format!("held-{index}");
            pool.retain_async(PRODUCT, &id, session(&id)).await.unwrap().keep();
        }
    };
    callers::run((0..CALLERS).map(hold).collect());
}

fn session(id: &str) -> Session {
    Session::rest("ann", id, "192.0.2.12")
}
