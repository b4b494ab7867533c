//! What all requests share.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use license_pool::Pool;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::credentials::Credentials;
use crate::failure::Failure;
use crate::limits;
use crate::metrics::Counters;
use crate::options::Options;

/// What all requests share; cheap to clone.
#[derive(Clone)]
pub(crate) struct State(Arc<Inner>);

pub(crate) struct Inner {
    /// Acts for no principal and on no license in particular.
    pub(crate) pool: Pool,
    pub(crate) options: Options,
    pub(crate) credentials: Credentials,
    pub(crate) counters: Counters,
    /// A permit for each stream of events.
    streams: Arc<Semaphore>,
    draining: AtomicBool,
    /// The same for those that wait for it: streams of events, and waits for a license.
    drained: watch::Sender<bool>,
}

impl State {
    pub(crate) fn new(pool: Pool, options: Options) -> State {
        let (drained, _) = watch::channel(false);
        State(Arc::new(Inner {
            credentials: Credentials::new(pool.clone(), &options.limits),
            counters: Counters::new(),
            streams: Arc::new(Semaphore::new(options.limits.streams)),
            pool: pool.must_be_installed(),
            options,
            draining: AtomicBool::new(false),
            drained,
        }))
    }

    /// A permit for a stream of events, to be kept as long as it lasts.
    ///
    /// # Errors
    /// When there are too many streams.
    pub(crate) fn place(&self) -> Result<OwnedSemaphorePermit, Failure> {
        self.streams.clone().try_acquire_owned().map_err(|_| limits::too_many(1))
    }

    /// Begins to stop: from now on nothing new is granted.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.drained.send_replace(true);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Resolves when the server begins to stop.
    pub(crate) fn drained(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut drained = self.drained.subscribe();
        async move {
            // An error says that the server is gone.
            let _ = drained.wait_for(|drained| *drained).await;
        }
    }
}

impl std::ops::Deref for State {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}
