//! Servers that share a store in one thread, driven by a clock of the test: what happens, and when,
//! is the same every time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use license_pool::log::{Log, MemoryLog};
use license_pool::{
    Clock, Driver, Entry, Error, Granted, LeaseSeconds, ManualClock, Options, Pending, Pool,
    RenewReceipt, Retain, Session, SessionState,
};

use super::world::{clock, license};

/// A store, and the servers on it by name.
pub(crate) struct Cluster {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) log: MemoryLog,
    servers: RefCell<BTreeMap<String, (Pool, Driver)>>,
    instances: RefCell<u64>,
}

impl Cluster {
    /// A store with one license, of `count` clients, and the serving servers of these names.
    pub(crate) fn new(count: u64, servers: &[&str]) -> Cluster {
        let cluster = Cluster {
            clock: clock(),
            log: MemoryLog::default(),
            servers: RefCell::default(),
            instances: RefCell::new(0),
        };
        for name in servers {
            cluster.start(name);
        }
        let installed =
            |pool: &Pool| pool.install_with(license("A", count).as_bytes(), Default::default());
        cluster.ask(servers[0], installed).unwrap();
        cluster
    }

    /// Starts a serving server.
    pub(crate) fn start(&self, name: &str) {
        self.start_with(name, Options::serving);
    }

    /// Starts a server of some kind. One of that name that runs dies.
    pub(crate) fn start_with(&self, name: &str, kind: impl FnOnce(Options) -> Options) {
        let options = Pool::options().server(name.parse().unwrap());
        self.open(name, kind(options));
    }

    /// Starts whatever the options say, known to the test by a name of its own.
    pub(crate) fn open(&self, name: &str, options: Options) {
        self.open_on(self.log.clone(), name, options);
    }

    /// Likewise, by a way of its own to the store.
    pub(crate) fn open_on(&self, log: impl Log + 'static, name: &str, options: Options) {
        let mut instances = self.instances.borrow_mut();
        *instances += 1;
        let options = options.clock(self.clock.clone()).instance(*instances);
        let server = options.open_driven(log).unwrap();
        self.servers.borrow_mut().insert(name.to_owned(), server);
        drop(instances);
        self.step(name);
    }

    /// A server crashes or freezes: it is not driven any more.
    pub(crate) fn stop(&self, name: &str) -> (Pool, Driver) {
        self.servers.borrow_mut().remove(name).unwrap()
    }

    /// A server that froze goes on.
    pub(crate) fn wake(&self, name: &str, server: (Pool, Driver)) {
        self.servers.borrow_mut().insert(name.to_owned(), server);
    }

    pub(crate) fn pool(&self, name: &str) -> Pool {
        self.servers.borrow()[name].0.clone()
    }

    pub(crate) fn step(&self, name: &str) {
        self.servers.borrow_mut().get_mut(name).unwrap().1.step();
    }

    /// Lets seconds pass, and everything happen that is due in them.
    pub(crate) fn pass(&self, seconds: u64) {
        let end = self.clock.elapsed() + Duration::from_secs(seconds);
        loop {
            let mut next = end;
            for (_, driver) in self.servers.borrow_mut().values_mut() {
                next = next.min(driver.step().unwrap_or(end));
            }
            let now = self.clock.elapsed();
            if now >= end {
                return;
            }
            let by = next.min(end).saturating_sub(now).max(Duration::from_millis(1));
            self.clock.advance(SignedDuration::try_from(by).unwrap());
        }
    }

    /// Asks a server and drives it until the answer is there.
    pub(crate) fn ask<T>(
        &self,
        server: &str,
        ask: impl FnOnce(&Pool) -> Pending<T>,
    ) -> Result<T, Error> {
        let mut pending = ask(&self.pool(server));
        for _ in 0..10 {
            self.step(server);
            pending = match pending.try_take() {
                Ok(answer) => return answer,
                Err(pending) => pending,
            };
        }
        panic!("no answer");
    }

    /// Retains by a lease of 90 seconds.
    pub(crate) fn grant(&self, server: &str, session: &str) -> Result<Granted, Error> {
        self.ask(server, |pool| pool.grant(leased(session, 90), None))
    }

    pub(crate) fn renew(&self, server: &str, session: &str) -> Result<RenewReceipt, Error> {
        self.ask(server, |pool| pool.renew_async(session, None))
    }

    pub(crate) fn tell(&self, server: &str, session: &str, state: SessionState) {
        self.ask(server, |pool| pool.renew_async(session, Some(state))).unwrap();
    }

    /// The sessions that hold something, in the order of their tokens.
    pub(crate) fn holders(&self, server: &str) -> Vec<String> {
        let held = self.ask(server, |pool| pool.held_async(None)).unwrap();
        held.iter().map(|held| held.record.session.to_string()).collect()
    }

    /// What each entry after `after` says, as `server: kind what`.
    pub(crate) fn history(&self, server: &str, after: u64) -> Vec<String> {
        let page = self.ask(server, |pool| pool.page(after, 1000)).unwrap();
        page.iter().map(line).collect()
    }
}

/// What a session asks for that holds 0009 by a lease.
pub(crate) fn leased(session: &str, seconds: u64) -> Retain {
    let describe = Session::rest("ann", session, "127.0.0.1");
    let mut retain = Retain::new("0009".parse().unwrap(), session.parse().unwrap(), describe);
    retain.lease_seconds = Some(LeaseSeconds::new(seconds).unwrap());
    retain
}

fn line(entry: &Entry) -> String {
    use license_pool::Event;
    let what = match &entry.event {
        Event::Installed(_) => "installed".to_owned(),
        Event::Uninstalled(_) => "uninstalled".to_owned(),
        Event::Retained(retained) => format!("retained {}", retained.session_id),
        Event::Released(released) => format!("released {} {}", released.session_id, released.cause),
        Event::Refused(_) => "refused".to_owned(),
        Event::StateChanged(changed) => format!("{} is {}", changed.session_id, changed.state),
        Event::Described(described) => format!("described {}", described.session_id),
        Event::Moved(moved) => {
            let moved: Vec<&str> = moved.session_ids.iter().map(|id| id.as_str()).collect();
            format!("moved {}", moved.join(" "))
        }
        Event::Adopted(adopted) => {
            format!("adopted {} {}", adopted.from_server, adopted.from_epoch)
        }
        Event::ClockCorrected(_) => "clock corrected".to_owned(),
    };
    format!("{}: {what}", entry.server)
}
