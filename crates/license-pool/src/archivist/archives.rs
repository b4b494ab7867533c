//! Where the archivist of a pool works: on a thread of its own, or on that of whoever drives the pool.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use license_core::Ledger;

use super::{Archivist, Believed, Due, Keep};
use crate::Clock;
use crate::log::{LedgerId, Log, OpenError};

/// How long after its start a server first looks for what is too old. At the start it believes the
/// clock as it finds it, and what a wrong clock deletes is gone.
const FIRST: Duration = Duration::from_secs(10 * 60);

/// The archivist of a pool. It is made when it is first needed.
pub(crate) struct Archives {
    clock: Arc<dyn Clock>,
    keep: Keep,
    work: Work,
}

enum Work {
    Beside(Option<Worker>),
    Driven(Option<Box<Archivist>>),
}

struct Worker {
    due: Sender<Due>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Archives {
    pub(crate) fn new(clock: Arc<dyn Clock>, keep: Keep, threaded: bool) -> Archives {
        let work = if threaded { Work::Beside(None) } else { Work::Driven(None) };
        Archives { clock, keep, work }
    }

    pub(crate) fn keep(&self) -> &Keep {
        &self.keep
    }

    /// An archivist for somebody else's thread; none if the log gives no second handle.
    pub(crate) fn archivist(
        &self,
        log: &dyn Log,
        believed: Believed,
    ) -> Result<Option<Archivist>, OpenError> {
        let (clock, keep) = (self.clock.clone(), self.keep.clone());
        let log = log.for_archivist()?;
        Ok(log.map(|log| Archivist::new(log, clock, keep, believed)))
    }

    /// Has a ledger archived some time soon, as it is now.
    pub(crate) fn tell(&mut self, log: &dyn Log, id: LedgerId, ledger: &Ledger, at: Believed) {
        self.start(log, at, Duration::MAX);
        let due = || Due { id, ledger: ledger.snapshot(), believed: at };
        match &mut self.work {
            // If its thread panicked, the log only stays longer than it need be.
            Work::Beside(Some(worker)) => drop(worker.due.send(due())),
            Work::Driven(Some(archivist)) => archivist.told(due()),
            Work::Beside(None) | Work::Driven(None) => {}
        }
    }

    /// Begins to look after what becomes too old.
    pub(crate) fn begin(&mut self, log: &dyn Log, believed: Believed) {
        if self.keep.history.is_some() || self.keep.identities.is_some() {
            self.start(log, believed, self.clock.elapsed().saturating_add(FIRST));
        }
    }

    fn start(&mut self, log: &dyn Log, believed: Believed, sweep: Duration) {
        let archivist = || {
            let archivist = self.archivist(log, believed).ok().flatten()?;
            Some(Archivist { sweep, ..archivist })
        };
        match &self.work {
            Work::Beside(None) => self.work = Work::Beside(archivist().and_then(Worker::start)),
            Work::Driven(None) => self.work = Work::Driven(archivist().map(Box::new)),
            Work::Beside(Some(_)) | Work::Driven(Some(_)) => {}
        }
    }

    /// Does one short step, if there is no thread for that.
    pub(crate) fn step(&mut self) {
        if let Work::Driven(Some(archivist)) = &mut self.work {
            archivist.sweep();
            let _ = archivist.step();
        }
    }

    /// When to call [`step`](Self::step) next.
    pub(crate) fn due(&self) -> Duration {
        match &self.work {
            Work::Driven(Some(archivist)) => archivist.due(),
            Work::Driven(None) | Work::Beside(_) => Duration::MAX,
        }
    }

    /// Ends: after it has done all that it was told, or `in_a_hurry` at once.
    pub(crate) fn end(&mut self, in_a_hurry: bool) {
        match &mut self.work {
            Work::Beside(worker) => {
                if let Some(Worker { due, stop, thread }) = worker.take() {
                    stop.store(in_a_hurry, Ordering::Relaxed);
                    drop(due);
                    let _ = thread.join();
                }
            }
            Work::Driven(archivist) => {
                let mut archivist = archivist.take().filter(|_| !in_a_hurry);
                while let Some(busy) = archivist.as_mut().filter(|it| it.is_busy()) {
                    let _ = busy.step();
                }
            }
        }
    }
}

impl Worker {
    fn start(archivist: Archivist) -> Option<Worker> {
        let (due, told) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::Builder::new()
            .name("license-archive".to_owned())
            .spawn(move || archivist.run(&told, &stopped))
            .ok()?;
        Some(Worker { due, stop, thread })
    }
}
