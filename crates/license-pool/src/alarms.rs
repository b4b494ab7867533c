//! Alarms: what whoever runs a server must be told unasked. Another process took its name, or its
//! store went back in time.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{Error, Pending, Pool};

/// What happened to a pool since it was opened that somebody should look into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alarms {
    /// How many times a license turned out to have another history than this pool knew, or less of it:
    /// its store went back in time, as when a backup is put in its place. What was acknowledged after
    /// that backup is lost, and what is held now is what the backup says.
    pub went_back: u64,
    /// A number of the license that this was last found of.
    pub license: Option<String>,
    /// Whether another process took the name of this pool's server, or adopted what it served: this
    /// pool answers nobody any more.
    pub fenced: bool,
}

impl Pool {
    /// The alarms until now.
    pub fn alarms(&self) -> Alarms {
        self.shared.bell.state().alarms.clone()
    }

    /// Waits until there is an alarm beyond those that were `seen`. That another process took the name
    /// is noticed with the next request, or after a third of the lease if nobody asks anything.
    ///
    /// ```
    /// use license_pool::{Alarms, Pool};
    ///
    /// let east = || Pool::options().server("east".parse().expect("a name"));
    /// let log = license_pool::log::MemoryLog::default();
    /// let pool = east().open_log(log.clone())?;
    /// let alarms = pool.watch_alarms(&Alarms::default());
    /// let successor = east().open_log(log)?;
    /// assert!(pool.info().is_err());
    /// assert!(alarms.wait()?.fenced);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Closed`] once the pool is.
    pub fn watch_alarms(&self, seen: &Alarms) -> Pending<Alarms> {
        let (sender, pending) = Pending::new(self.shared.clone());
        self.shared.bell.listen(seen, sender);
        pending
    }
}

/// Rings for all who listen; shared by every writer of a pool.
#[derive(Default)]
pub(crate) struct Bell(Mutex<State>);

#[derive(Default)]
struct State {
    alarms: Alarms,
    listeners: Vec<Listener>,
    ended: bool,
}

type Listener = oneshot::Sender<Result<Alarms, Error>>;

impl Bell {
    /// Changes the alarms, and tells all who listen.
    pub(crate) fn ring(&self, change: impl FnOnce(&mut Alarms)) {
        let mut state = self.state();
        change(&mut state.alarms);
        for listener in mem::take(&mut state.listeners) {
            drop(listener.send(Ok(state.alarms.clone())));
        }
    }

    /// There will be no more alarms: whoever listens is told that the pool is closed.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        state.listeners.clear();
    }

    fn listen(&self, seen: &Alarms, listener: Listener) {
        let mut state = self.state();
        if state.alarms != *seen {
            drop(listener.send(Ok(state.alarms.clone())));
        } else if !state.ended {
            state.listeners.retain(|listener| !listener.is_closed());
            state.listeners.push(listener);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
