//! What drives the writers of a pool: a thread for each, or whoever calls [`Driver::step`]. All
//! requests that wait become one batch, and with that one turn; while it is on its way to the disk,
//! the next batch gathers.

use std::fmt;
use std::hint;
use std::mem;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Clock;
use crate::request::Request;
use crate::writer::Writer;

/// How many requests a batch has at most: more would only make each of them wait longer.
const BATCH_MAX: usize = 512;

/// How long to wait for the next of those whom the last turn answered to ask again.
const COMPANY: Duration = Duration::from_micros(100);

/// How long to spin after a turn for a single request, before the thread sleeps: a lone caller often
/// asks again at once, and waking a thread may take longer than all the rest.
const ALERT: Duration = Duration::from_micros(50);

/// Does the work of a pool that has no thread of its own: everything happens in
/// [`step`](Driver::step). So a program may drive many pools in one thread, and a simulation decides
/// what happens when; with [`Options::instance`](crate::Options::instance) and a
/// [`ManualClock`](crate::ManualClock) every run is the same.
///
/// A call that blocks until its answer is there would block for ever, unless another thread drives the
/// pool: use [`Pending::try_take`](crate::Pending::try_take).
///
/// ```
/// use license_pool::{ManualClock, Pool, SAMPLE_LICENSE, Session, log::MemoryLog};
///
/// let clock = ManualClock::new("2026-01-05T10:00:00Z".parse()?);
/// let options = Pool::options().clock(std::sync::Arc::new(clock)).instance(1);
/// let (pool, mut driver) = options.open_driven(MemoryLog::default())?;
/// let installed = pool.install_with(SAMPLE_LICENSE.as_bytes(), Default::default());
/// driver.step();
/// assert!(installed.try_take().is_ok_and(|receipt| receipt.is_ok()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Driver {
    /// The first one ends the others. Empty once the pool is closed.
    lanes: Vec<Lane>,
}

/// One writer, and the requests that wait for it.
pub(crate) struct Lane {
    writer: Writer,
    clock: Arc<dyn Clock>,
    requests: Receiver<Request>,
    /// Requests that were already received, for the next batch.
    inbox: Vec<Request>,
    /// How many requests the last turn answered.
    company: usize,
    /// Whether the last step took a turn for a single request.
    was_lone: bool,
}

impl Driver {
    pub(crate) fn new(lanes: Vec<Lane>) -> Driver {
        Driver { lanes }
    }

    /// Serves what waits and does what is due. Returns the [elapsed](Clock::elapsed) time at which to
    /// call again at the latest, even if nobody asks anything; earlier does no harm. None once the pool
    /// is closed.
    pub fn step(&mut self) -> Option<Duration> {
        let (first, others) = self.lanes.split_first_mut()?;
        let Some(due) = first.step() else {
            first.end(|_| {
                let ended: Vec<bool> = others.iter_mut().map(|lane| lane.end(|_| true)).collect();
                ended.into_iter().all(|ended| ended)
            });
            self.lanes.clear();
            return None;
        };
        Some(others.iter_mut().filter_map(Lane::step).fold(due, Duration::min))
    }
}

impl Lane {
    pub(crate) fn new(writer: Writer, clock: Arc<dyn Clock>, requests: Receiver<Request>) -> Lane {
        Lane { writer, clock, requests, inbox: Vec::new(), company: 0, was_lone: false }
    }

    /// Serves what waits and does what is due; gives when to call again at the latest, or none if it
    /// is to end.
    fn step(&mut self) -> Option<Duration> {
        let mut batch = mem::take(&mut self.inbox);
        self.gather(&mut batch);
        self.was_lone = false;
        if batch.iter().any(Request::writes) {
            if self.writer.turns.log.prefers_company() {
                self.gather_company(&mut batch);
            }
            // While other processes have their turns, more requests come in.
            self.writer.turns.log.line_up();
            self.gather(&mut batch);
            self.company = batch.len();
            self.was_lone = self.company == 1;
        }
        self.writer.serve(batch);
        self.writer.turns.log.stand_back();
        if self.writer.is_closing() {
            return None;
        }
        self.inbox.extend(self.requests.try_recv().ok());
        if !self.inbox.is_empty() {
            return Some(self.clock.elapsed());
        }
        Some(self.writer.due())
    }

    /// Adds what waits to a batch.
    fn gather(&self, batch: &mut Vec<Request>) {
        let more = BATCH_MAX.saturating_sub(batch.len());
        batch.extend(self.requests.try_iter().take(more));
    }

    /// Waits for those whom the last turn answered to ask again, as long as they keep coming.
    /// Otherwise callers would split into two groups, each waiting for the turns of the other. After a
    /// turn for one caller it waits for nobody.
    fn gather_company(&self, batch: &mut Vec<Request>) {
        let mut until = Instant::now() + COMPANY;
        while batch.len() < self.company && Instant::now() < until {
            thread::yield_now();
            let before = batch.len();
            self.gather(batch);
            if batch.len() > before {
                until = Instant::now() + COMPANY;
            }
        }
    }

    /// Drives until the pool is closed, sleeping in between.
    pub(crate) fn run(mut self) {
        let is_alone = thread::available_parallelism().is_ok_and(|cores| cores.get() == 1);
        while let Some(due) = self.step() {
            if !is_alone && self.was_lone {
                self.stay_alert();
            }
            if !self.inbox.is_empty() {
                continue;
            }
            match self.requests.recv_timeout(due.saturating_sub(self.clock.elapsed())) {
                Ok(request) => self.inbox.push(request),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.end(Writer::end_others);
    }

    /// Spins for a moment in case another request comes. It does not yield, since on a busy machine it
    /// might be scheduled again only after milliseconds.
    fn stay_alert(&mut self) {
        let until = Instant::now() + ALERT;
        while self.inbox.is_empty() && Instant::now() < until {
            hint::spin_loop();
            self.inbox.extend(self.requests.try_recv().ok());
        }
    }

    /// Serves what was asked before the end, and closes the writer; see [`Writer::close`].
    fn end(&mut self, others: impl FnOnce(&mut Writer) -> bool) -> bool {
        loop {
            let rest: Vec<Request> = self.requests.try_iter().collect();
            let last = rest.is_empty();
            self.writer.serve(rest);
            if last {
                break;
            }
        }
        self.writer.close(others)
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("ended", &self.lanes.is_empty()).finish_non_exhaustive()
    }
}
