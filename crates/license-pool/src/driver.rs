//! What drives a pool: one thread of its own, or whoever calls. Whatever waits becomes one turn;
//! while that is on its way to the disk, the next one gathers.

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

/// More requests in a turn only make each of them wait longer.
const BATCH_MAX: usize = 512;

/// So long the others are waited for after one of those whom the last turn answered asked again.
const COMPANY: Duration = Duration::from_micros(100);

/// So long it is looked for more after a turn of one: who was answered alone, and asks again at once,
/// need not wake the thread then, which may take longer than all the rest.
const ALERT: Duration = Duration::from_micros(50);

/// Does the work of a pool that has no thread of its own: nothing happens but in
/// [`step`](Driver::step). So a program may drive many pools in one thread, and a simulation decides
/// what happens when; with [`Options::instance`](crate::Options::instance) and a
/// [`ManualClock`](crate::ManualClock) every run is the same.
///
/// What blocks until an answer is there would block for ever, unless another thread drives the pool:
/// use [`Pending::try_take`](crate::Pending::try_take).
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
    /// The first one ends the others. None once the pool was closed.
    lanes: Vec<Lane>,
}

/// Drives one writer.
pub(crate) struct Lane {
    writer: Writer,
    clock: Arc<dyn Clock>,
    requests: Receiver<Request>,
    /// What came while nothing was done.
    inbox: Vec<Request>,
    /// How many asked together for the last turn.
    company: usize,
    /// Whether the last step took a turn for one who asked alone.
    was_lone: bool,
}

impl Driver {
    pub(crate) fn new(lanes: Vec<Lane>) -> Driver {
        Driver { lanes }
    }

    /// Serves what waits and does what is due. Returns the [elapsed](Clock::elapsed) time at which to
    /// call again at the latest, though nobody asks anything; earlier does no harm. Nothing once the
    /// pool was closed.
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

    /// Serves what waits and does what is due; tells when to call again at the latest, or nothing
    /// where it is to end.
    fn step(&mut self) -> Option<Duration> {
        let mut batch = mem::take(&mut self.inbox);
        self.gather(&mut batch);
        self.was_lone = false;
        if batch.iter().any(Request::writes) {
            if self.writer.turns.log.prefers_company() {
                self.gather_company(&mut batch);
            }
            // Where others are to go first, more comes together meanwhile.
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

    /// Lets those come back whom the last turn answered, as long as they do: otherwise they would be
    /// parted into two companies, each of which waits for the turns of the other. Who was alone waits
    /// for nobody.
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

    /// Looks for more for a moment. It does not give way meanwhile: on a busy machine its turn might
    /// come again only after milliseconds.
    fn stay_alert(&mut self) {
        let until = Instant::now() + ALERT;
        while self.inbox.is_empty() && Instant::now() < until {
            hint::spin_loop();
            self.inbox.extend(self.requests.try_recv().ok());
        }
    }

    /// Does what was asked before the end, ends the others where this is the first, and says whether
    /// what was vouched for ended as well.
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
