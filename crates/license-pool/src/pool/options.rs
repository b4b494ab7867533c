//! How a pool is opened.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use license_types::ServerName;

use super::shared::{Opened, Shared};
use crate::alarms::Bell;
use crate::archivist::{Archives, Keep};
use crate::commits::Commits;
use crate::driver::Lane;
use crate::leases::SLEEP;
use crate::log::{Log, LogError, MemoryLog, OpenError, Server};
use crate::share::{Share, WRITERS_MAX};
use crate::turn::{Actor, Role, Turns};
use crate::writer::Writer;
use crate::writer::lanes::Router;
use crate::{AcceptUnsigned, Clock, Driver, Pool, StoreUrl, SystemClock, Verifier};

/// The name that one-shot commands share; nobody else may take it.
pub const LOCAL: &str = "local";

const LEASE: Duration = Duration::from_secs(90);
const GRACE: Duration = Duration::from_secs(90);
const LEASE_MAX: Duration = Duration::from_hours(24);
/// More than anybody waits for a server, and little enough for every store to count.
const GRACE_MAX: Duration = Duration::from_hours(365 * 24);

/// How many connections to a database a server has, by default.
#[cfg(feature = "postgres")]
const CONNECTIONS: u8 = 4;

/// How long a server keeps entries, by default.
const HISTORY: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// After how many entries a snapshot is due, by default.
const SNAPSHOT: u64 = 20_000;

/// How long to wait for a busy store, by default: longer than any turn should take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How to open a [`Pool`]: `Pool::options().must_exist().open("sqlite:license.db")`.
#[derive(Clone)]
#[must_use = "nothing is opened before `open`"]
pub struct Options {
    must_exist: bool,
    server: Option<ServerName>,
    clock: Arc<dyn Clock>,
    verifier: Arc<dyn Verifier>,
    password: Option<String>,
    patience: Duration,
    loaded_max: usize,
    connections: Option<u8>,
    instance: Option<u64>,
    serving: bool,
    lease: Duration,
    grace: Duration,
    sleep: Duration,
    keep: Keep,
}

impl Options {
    pub(crate) fn new() -> Options {
        Options {
            must_exist: false,
            server: None,
            clock: Arc::new(SystemClock),
            verifier: Arc::new(AcceptUnsigned),
            password: None,
            loaded_max: 10_000,
            connections: None,
            patience: PATIENCE,
            instance: None,
            serving: false,
            lease: LEASE,
            grace: GRACE,
            sleep: SLEEP,
            keep: Keep { every: SNAPSHOT, history: None, identities: None },
        }
    }

    /// Fails where there is no store, instead of creating an empty one.
    pub fn must_exist(mut self) -> Options {
        self.must_exist = true;
        self
    }

    /// Acts as the server of this name, and takes the name from whoever has it. Without, the pool
    /// takes a name that nobody had before. [`LOCAL`] is the name of no server: see
    /// [`local`](Self::local).
    pub fn server(mut self, name: ServerName) -> Options {
        self.server = Some(name);
        self
    }

    /// Acts for a one-shot command, under the name that all of those share: [`LOCAL`]. It is no
    /// server and stands in nobody's way.
    pub fn local(self) -> Options {
        self.server(ServerName::new(LOCAL).expect("the name is short"))
    }

    /// Reads the time from `clock` instead of the machine's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Options {
        self.clock = clock;
        self
    }

    /// Judges license documents by `verifier` before they are installed.
    pub fn verifier(mut self, verifier: Arc<dyn Verifier>) -> Options {
        self.verifier = verifier;
        self
    }

    /// Shows this password to the store, where it asks for one and its address has none.
    pub fn password(mut self, password: impl Into<String>) -> Options {
        self.password = Some(password.into());
        self
    }

    /// How long to wait for a process that keeps a shared file to itself, before requests are answered
    /// with [`Error::StoreBusy`](crate::Error::StoreBusy), and for the store to tell whether a commit
    /// was made, before they are answered with
    /// [`Error::OutcomeUnknown`](crate::Error::OutcomeUnknown). Ten seconds by default; for a file a
    /// day at most.
    pub fn patience(mut self, patience: Duration) -> Options {
        self.patience = patience;
        self
    }

    /// Serves sessions for good: where another server dies, this one takes over what that served.
    /// Needs a [name](Self::server).
    pub fn serving(mut self) -> Options {
        self.serving = true;
        self
    }

    /// The lease of a session that retains by one and asks for no other: after so long without a
    /// renewal it has ended. The server itself shows every third of it that it lives. 90 s by default; a
    /// second at least and a day at most.
    pub fn lease(mut self, lease: Duration) -> Options {
        // A server must find time for more than its beats.
        self.lease = lease.clamp(Duration::from_secs(1), LEASE_MAX);
        self
    }

    /// How long beyond its lease this server may be silent before others take over what it serves.
    /// 90 s by default, and a year at most.
    pub fn grace(mut self, grace: Duration) -> Options {
        self.grace = grace.min(GRACE_MAX);
        self
    }

    /// How long a session is kept that said that it sleeps, counted in time in which a server could
    /// have heard it. 172,800 s, two days, by default.
    pub fn sleep(mut self, sleep: Duration) -> Options {
        self.sleep = sleep;
        self
    }

    /// Fixes the number that tells this holder of a server's name from every other one, and that is
    /// random otherwise. For simulations; two pools of one store must not have the same.
    pub fn instance(mut self, instance: u64) -> Options {
        self.instance = Some(instance);
        self
    }

    /// Keeps the ledgers of at most so many licenses in memory, and reads others when they are asked
    /// for; 10,000 by default. Those in which this pool serves sessions stay in any case.
    pub fn loaded_max(mut self, ledgers: usize) -> Options {
        self.loaded_max = ledgers;
        self
    }

    /// How long to keep entries; older ones are deleted once a snapshot covers them. Daily figures are
    /// kept for good. By default a server under a [name](Self::server) of its own keeps 400 days, and
    /// any other pool deletes nothing. Servers that share a store should all be told the same, since
    /// each deletes what is too old for itself.
    pub fn history(mut self, history: Duration) -> Options {
        self.keep.history = Some(history);
        self
    }

    /// How long to keep the descriptions of sessions that hold nothing any more. Afterwards only their
    /// digests are left, so that the chain still holds. By default they stay as long as their entries.
    pub fn identities(mut self, identities: Duration) -> Options {
        self.keep.identities = Some(identities);
        self
    }

    /// Writes a snapshot of a ledger whenever it has grown by so many entries, and by as many as it
    /// holds: whoever opens the store reads the last one and what came after. 20,000 by default.
    pub fn snapshots(mut self, entries: u64) -> Options {
        self.keep.every = entries.max(1);
        self
    }

    /// Spreads the ledgers over so many connections to the store, from 1 to 64, which take their turns
    /// in parallel. A store in which only one turn can be taken at a time, as a file, has one anyway. A
    /// number in the address of a database takes precedence.
    pub fn connections(mut self, connections: u8) -> Options {
        self.connections = Some(connections.clamp(1, WRITERS_MAX));
        self
    }

    /// Opens the store that `url` names.
    ///
    /// # Errors
    /// See [`OpenError`]; a store that is refused is left as it is.
    pub fn open(self, url: &str) -> Result<Pool, OpenError> {
        let url: StoreUrl = url.parse().map_err(OpenError::Url)?;
        self.open_url(&url)
    }

    /// Opens the store that a parsed `url` names.
    ///
    /// # Errors
    /// See [`OpenError`]; a store that is refused is left as it is.
    pub fn open_url(self, url: &StoreUrl) -> Result<Pool, OpenError> {
        let (log, connections): (Box<dyn Log>, _) = match url {
            StoreUrl::Memory => (Box::new(MemoryLog::default()), 1),
            #[cfg(feature = "sqlite")]
            StoreUrl::Sqlite(path) => {
                let log = crate::log::SqliteLog::open(path, !self.must_exist, self.patience)?;
                (Box::new(log), 1)
            }
            #[cfg(feature = "postgres")]
            StoreUrl::Postgres(url) => {
                let password = self.password.as_deref();
                let log = crate::log::PostgresLog::open(url, password, !self.must_exist)?;
                let usual = if self.serving { CONNECTIONS } else { 1 };
                (Box::new(log), url.connections().or(self.connections).unwrap_or(usual))
            }
        };
        self.start(url.to_string(), log, connections)
    }

    /// Opens a pool on a log of your own.
    ///
    /// # Errors
    /// [`OpenError::Register`] when the log does not take the server.
    pub fn open_log(self, log: impl Log + 'static) -> Result<Pool, OpenError> {
        let connections = self.connections.unwrap_or(1);
        self.start("log:".to_owned(), Box::new(log), connections)
    }

    /// Opens a pool on a log of your own, which does nothing unless it is driven.
    ///
    /// # Errors
    /// [`OpenError::Register`] when the log does not take the server.
    pub fn open_driven(self, log: impl Log + 'static) -> Result<(Pool, Driver), OpenError> {
        let verifier = self.verifier.clone();
        let connections = self.connections.unwrap_or(1);
        let Started { lanes, router, bell, server } =
            self.lanes("log:", Box::new(log), connections, false)?;
        let opened = Opened { store: "log:".to_owned(), verifier, server };
        Ok((Pool::new(Shared::new(opened, router, bell, None)), Driver::new(lanes)))
    }

    fn start(self, store: String, log: Box<dyn Log>, connections: u8) -> Result<Pool, OpenError> {
        let verifier = self.verifier.clone();
        let Started { lanes, router, bell, server } = self.lanes(&store, log, connections, true)?;
        let spawn = |lane: Lane| {
            let thread = thread::Builder::new().name("license-pool".to_owned());
            thread.spawn(move || lane.run()).map_err(OpenError::Thread)
        };
        let mut lanes = lanes.into_iter();
        // The first one ends the others, so it must be there even if another cannot be started.
        let first = lanes.next().map(spawn).transpose()?;
        let opened = Opened { store, verifier, server };
        let shared = Shared::new(opened, router, bell, first);
        lanes.try_for_each(|lane| spawn(lane).map(drop))?;
        Ok(Pool::new(shared))
    }

    /// Registers the server, and makes a lane for each connection that the log gives.
    fn lanes(
        self,
        store: &str,
        mut log: Box<dyn Log>,
        connections: u8,
        threaded: bool,
    ) -> Result<Started, OpenError> {
        let instance = self.instance.map_or_else(random, |instance| format!("{instance:016x}"));
        let name = self.server.clone().unwrap_or_else(|| self.fresh_name(&instance));
        let role = self.role();
        let epoch = match role {
            Role::Local => 0,
            Role::Transient | Role::Named | Role::Serving => {
                self.register(store, &mut *log, &name, &instance)?
            }
        };
        let keeps = matches!(role, Role::Named | Role::Serving);
        let history = self.keep.history.or(keeps.then_some(HISTORY));
        let keep = Keep { history, ..self.keep };
        let server = Arc::new(name);
        let logs = spread(log, connections)?;
        let of = u8::try_from(logs.len()).expect("no more than there are connections");
        let (senders, requests): (Vec<_>, Vec<_>) = logs.iter().map(|_| mpsc::channel()).unzip();
        let router = Arc::new(Router::new(senders));
        let commits = Arc::new(Mutex::new(Commits::new()));
        let bell = Arc::new(Bell::default());
        let lane = |(place, (log, requests))| {
            let share = Share { place, of };
            let (server, instance) = (server.clone(), instance.clone());
            let actor = Actor { server, epoch, instance, role, share, lease: self.lease };
            let archives = Archives::new(self.clock.clone(), keep.clone(), threaded);
            let (clock, commits, bell) = (self.clock.clone(), commits.clone(), bell.clone());
            let turns = Turns::new(log, clock, actor, self.loaded_max, archives, commits, bell)
                .map_err(OpenError::Register)?;
            let router = (of > 1).then(|| router.clone());
            let writer = Writer::new(turns, router, self.sleep, self.patience);
            Ok(Lane::new(writer, self.clock.clone(), requests))
        };
        let lanes: Result<Vec<Lane>, OpenError> =
            (0..of).zip(logs.into_iter().zip(requests)).map(lane).collect();
        Ok(Started { lanes: lanes?, router, bell, server })
    }

    /// A server name that nobody had before.
    fn fresh_name(&self, instance: &str) -> ServerName {
        let name = match self.instance {
            Some(_) => format!("pool-{instance}"),
            None => format!("pool-{}-{}", std::process::id(), &instance[..8]),
        };
        ServerName::new(name).expect("digits and dashes are a server name")
    }

    fn role(&self) -> Role {
        match (&self.server, self.serving) {
            (None, _) => Role::Transient,
            (Some(name), _) if name.as_str() == LOCAL => Role::Local,
            (Some(_), false) => Role::Named,
            (Some(_), true) => Role::Serving,
        }
    }

    /// Takes the name in the register of the store; gives its epoch.
    fn register(
        &self,
        store: &str,
        log: &mut dyn Log,
        name: &ServerName,
        instance: &str,
    ) -> Result<u64, OpenError> {
        let server = Server {
            name: name.clone(),
            instance: instance.to_owned(),
            lease_seconds: self.lease.as_secs(),
            grace_seconds: self.grace.as_secs(),
            transient: self.server.is_none(),
        };
        log.register(server).map_err(|error| match error {
            LogError::Sealed { target } => OpenError::Sealed { store: store.to_owned(), target },
            error => OpenError::Register(error),
        })
    }
}

/// The log, and as many more handles on it as it gives, up to `connections` in all.
fn spread(log: Box<dyn Log>, connections: u8) -> Result<Vec<Box<dyn Log>>, OpenError> {
    let mut logs = vec![log];
    while logs.len() < usize::from(connections) {
        let Some(log) = logs[0].for_writer()? else { break };
        logs.push(log);
    }
    Ok(logs)
}

/// What a pool consists of.
struct Started {
    /// Each serves a share of the ledgers; the first ends the others.
    lanes: Vec<Lane>,
    router: Arc<Router>,
    bell: Arc<Bell>,
    /// The name that it acts under.
    server: Arc<ServerName>,
}

/// 16 hexadecimal digits that no other pool has.
fn random() -> String {
    // The standard library keys its hash maps with random numbers of the operating system.
    use std::hash::{BuildHasher, RandomState};
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}
