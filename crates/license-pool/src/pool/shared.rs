//! What every handle of a pool shares: the way to the writer thread, and its end.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};

use license_types::ServerName;

use crate::Verifier;
use crate::alarms::Bell;
use crate::log::Which;
use crate::request::Request;
use crate::tail::Tail;
use crate::writer::lanes::Router;

/// What a pool was opened as.
pub(crate) struct Opened {
    /// Names the store, without secrets.
    pub(crate) store: String,
    pub(crate) verifier: Arc<dyn Verifier>,
    pub(crate) server: Arc<ServerName>,
}

pub(crate) struct Shared {
    pub(crate) opened: Opened,
    router: Arc<Router>,
    pub(crate) bell: Arc<Bell>,
    /// Whether any caller was async: then a drop must not block, since it may be on a runtime.
    awaited: AtomicBool,
    /// The thread of the first writer, which ends the others; none if somebody else drives the pool.
    writer: Mutex<Option<JoinHandle<()>>>,
    /// The tails that somebody follows, or followed a moment ago.
    tails: Mutex<BTreeMap<Which, Weak<Tail>>>,
}

impl Shared {
    pub(crate) fn new(
        opened: Opened,
        router: Arc<Router>,
        bell: Arc<Bell>,
        writer: Option<JoinHandle<()>>,
    ) -> Shared {
        Shared {
            opened,
            router,
            bell,
            awaited: AtomicBool::new(false),
            writer: Mutex::new(writer),
            tails: Mutex::default(),
        }
    }

    /// Hands a request to its writer. Never blocks; after the pool was closed the request is
    /// dropped, which its caller sees.
    pub(crate) fn send(&self, request: Request) {
        self.router.send(request);
    }

    /// The tail of a log that is followed.
    pub(crate) fn tail(&self, license: &Which) -> Option<Arc<Tail>> {
        self.tails().get(license)?.upgrade()
    }

    /// Notes the tail of a log, and forgets those that nobody follows any more.
    pub(crate) fn keep_tail(&self, license: &Which, tail: &Arc<Tail>) {
        let mut tails = self.tails();
        tails.retain(|_, tail| tail.strong_count() > 0);
        tails.insert(license.clone(), Arc::downgrade(tail));
    }

    /// Forgets a tail that has ended, unless there is another by now.
    pub(crate) fn forget_tail(&self, license: &Which, ended: &Arc<Tail>) {
        let mut tails = self.tails();
        if tails.get(license).is_some_and(|tail| Weak::as_ptr(tail) == Arc::as_ptr(ended)) {
            tails.remove(license);
        }
    }

    fn tails(&self) -> MutexGuard<'_, BTreeMap<Which, Weak<Tail>>> {
        self.tails.lock().unwrap_or_else(PoisonError::into_inner)
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
