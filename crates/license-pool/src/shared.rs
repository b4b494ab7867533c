//! What every handle of a pool shares: the way to the writer thread, and its end.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::alarms::Bell;
use crate::lanes::Lanes;
use crate::request::Request;

pub(crate) struct Shared {
    lanes: Arc<Lanes>,
    pub(crate) bell: Arc<Bell>,
    /// Whether a caller is async: then nothing may block its runtime.
    awaited: AtomicBool,
    /// The first of its writers, which ends the others; none where somebody else drives the pool.
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Shared {
    pub(crate) fn new(
        lanes: Arc<Lanes>,
        bell: Arc<Bell>,
        writer: Option<JoinHandle<()>>,
    ) -> Shared {
        Shared { lanes, bell, awaited: AtomicBool::new(false), writer: Mutex::new(writer) }
    }

    /// Hands a request to its writer. Never blocks; after the pool was closed the request is
    /// dropped, which its caller sees.
    pub(crate) fn send(&self, request: Request) {
        self.lanes.send(request);
    }

    /// Notes that some caller waits as a future.
    pub(crate) fn awaited(&self) {
        self.awaited.store(true, Ordering::Relaxed);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.send(Request::Close(Box::new(|| {})));
        let writer = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let Some(writer) = writer else { return };
        if !*self.awaited.get_mut() && writer.thread().id() != thread::current().id() {
            // A panic of the writer was told to whoever waited for it.
            let _ = writer.join();
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
