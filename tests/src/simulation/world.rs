//! The world of one run: it decides what happens next, and drives the servers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use license_pool::log::{LedgerId, MemoryLog};
use license_pool::{Clock, Driver, Error, Granted, Held, InstallOptions, Pending, Pool};
use license_types::{ReleaseReceipt, RenewReceipt, ServerName, SessionId};

use super::client::{Client, Doing, Wish};
use super::clock::{MachineClock, TrueTime};
use super::link::{Link, Trouble};
use super::scenario::{Clocks, Scenario};
use super::truth::Truth;
use super::{Failure, Planted, Tally};

/// How long a client waits for an answer before it asks again.
pub(super) const PATIENCE: u64 = 3_000;

/// Something that is to happen.
pub(super) enum Event {
    /// A client acts, unless it made another plan since.
    Act { client: usize, number: u64 },
    /// A request arrives at a server.
    Arrive { server: usize, client: usize, number: u64, wish: Wish },
    /// Somebody asks a server what is held.
    Ask { server: usize },
    /// A server is driven.
    Step { server: usize, process: u64 },
    /// A server's process is started.
    Start { server: usize },
    /// An answer arrives at a client.
    Reply { client: usize, number: u64, reply: Reply },
    /// Something happens to a machine or to the store.
    Chaos,
    /// A clock that was set is put right.
    ClockRight { server: usize },
    /// A store that was away comes back.
    StoreBack { server: usize },
}

/// An answer, as a client reads it.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Held { token: u64, lease_seconds: u64 },
    Nothing,
    Released,
    Refused,
    Failed,
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// Nobody, where only what the answer says matters.
    pub(super) client: Option<usize>,
    pub(super) number: u64,
    pub(super) wish: Wish,
    pub(super) ledger: usize,
    /// Where the ledger ended when the request arrived.
    pub(super) after: u64,
}

/// An answer that a server owes.
pub(super) struct Owed {
    pub(super) question: Question,
    /// Gives the answer, once it is there.
    pub(super) answer: Box<dyn FnMut() -> Option<Answer>>,
}

pub(super) enum Answer {
    Granted(Result<Box<Granted>, Error>),
    Renewed(Result<RenewReceipt, Error>),
    Released(Result<ReleaseReceipt, Error>),
    Held(Result<Vec<Held>, Error>),
}

impl Owed {
    pub(super) fn new<T: 'static>(
        question: Question,
        pending: Pending<T>,
        answer: fn(Result<T, Error>) -> Answer,
    ) -> Owed {
        let mut waits = Some(pending);
        let answer = move || match waits.take()?.try_take() {
            Ok(taken) => Some(answer(taken)),
            Err(pending) => {
                waits = Some(pending);
                None
            }
        };
        Owed { question, answer: Box::new(answer) }
    }
}

pub(super) struct Server {
    pub(super) name: ServerName,
    pub(super) clock: Arc<MachineClock>,
    pub(super) trouble: Arc<Mutex<Trouble>>,
    /// How often its process was started.
    pub(super) process: u64,
    pub(super) running: Option<(Pool, Driver)>,
    pub(super) frozen_until: u64,
    /// When it is driven next.
    pub(super) due: Option<u64>,
    /// It never comes back.
    pub(super) is_gone: bool,
    pub(super) owed: Vec<Owed>,
}

pub(super) struct World {
    pub(super) seed: u64,
    /// Whether to tell what happens.
    pub(super) told: bool,
    pub(super) rng: Rng,
    pub(super) scenario: Scenario,
    pub(super) time: TrueTime,
    pub(super) agenda: BTreeMap<(u64, u64), Event>,
    pub(super) planned: u64,
    pub(super) store: MemoryLog,
    pub(super) backup: Option<MemoryLog>,
    pub(super) truth: Truth,
    pub(super) servers: Vec<Server>,
    pub(super) clients: Vec<Client>,
    pub(super) calm: bool,
    pub(super) tally: Tally,
}

impl World {
    pub(super) fn new(seed: u64, planted: Option<Planted>, told: bool) -> World {
        let mut rng = Rng::with_seed(seed);
        let scenario = Scenario::new(&mut rng, planted);
        let time = TrueTime::default();
        let servers = (0..scenario.servers).map(|place| {
            let Scenario { fails, unanswered, crashes, .. } = scenario;
            let trouble = Trouble {
                rng: rng.fork(),
                away: false,
                fails,
                unanswered,
                crashes,
                crashed: false,
                unknown: 0,
                planted,
                restarted: false,
            };
            Server {
                name: ServerName::new(format!("server-{place}")).expect("a server name"),
                clock: Arc::new(MachineClock::new(scenario.begin, time.clone(), planted)),
                trouble: Arc::new(Mutex::new(trouble)),
                process: 0,
                running: None,
                frozen_until: 0,
                due: None,
                is_gone: false,
                owed: Vec::new(),
            }
        });
        let servers = servers.collect();
        let clients = (0..scenario.clients).map(|place| Client {
            session: SessionId::new(format!("client-{place}")).expect("a session id"),
            product: scenario.offers[rng.usize(0..scenario.offers.len())].product,
            ledger: rng.usize(0..scenario.ledgers),
            server: rng.usize(0..scenario.servers),
            doing: Doing::Idle,
            sent: 0,
            acts: 0,
        });
        let clients = clients.collect();
        World {
            seed,
            told,
            truth: Truth::new(scenario.offers.clone()),
            rng,
            scenario,
            time,
            agenda: BTreeMap::new(),
            planned: 0,
            store: MemoryLog::default(),
            backup: None,
            servers,
            clients,
            calm: false,
            tally: Tally::default(),
        }
    }

    pub(super) fn run(mut self) -> Result<Tally, Failure> {
        let found = self.live();
        let (seed, at) = (self.seed, self.time.now());
        found.map_err(|what| Failure { seed, at, what })?;
        Ok(self.tally)
    }

    fn live(&mut self) -> Result<(), String> {
        self.install();
        self.judge_log()?;
        for server in 0..self.servers.len() {
            self.plan(0, Event::Start { server });
        }
        for client in 0..self.clients.len() {
            let at = self.rng.u64(0..5_000);
            self.plan_act(client, at);
        }
        self.plan(1_000, Event::Chaos);
        self.plan(2_000, Event::Ask { server: 0 });
        self.until(self.scenario.trouble)?;
        self.calm_down();
        // Two leases and a grace after the last server fell silent, and what it takes to notice.
        let free = 1_000 * (3 * self.scenario.lease_seconds + 2) + 2 * PATIENCE;
        self.until(self.scenario.trouble + free)?;
        self.last_judgement()
    }

    /// Lets happen what is to happen before `end`.
    fn until(&mut self, end: u64) -> Result<(), String> {
        while let Some(next) = self.agenda.first_entry().filter(|next| next.key().0 < end) {
            let ((at, _), event) = next.remove_entry();
            self.time.set(at);
            self.happen(event)?;
        }
        self.time.set(end);
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::Act { client, number } => {
                if self.clients[client].acts == number {
                    self.act(client);
                }
            }
            Event::Arrive { server, client, number, wish } => {
                self.arrive(server, client, number, wish);
            }
            Event::Ask { server } => self.ask(server),
            Event::Step { server, process } => return self.step(server, process),
            Event::Start { server } => self.start(server),
            Event::Reply { client, number, reply } => self.hear(client, number, &reply),
            Event::Chaos => self.chaos(),
            Event::ClockRight { server } => self.servers[server].clock.set_ahead(0),
            Event::StoreBack { server } => self.trouble(server, |trouble| trouble.away = false),
        }
        Ok(())
    }

    pub(super) fn plan(&mut self, delay: u64, event: Event) {
        self.planned += 1;
        self.agenda.insert((self.time.now() + delay, self.planned), event);
    }

    /// Tells what happens, to whoever looks for what went wrong.
    pub(super) fn tell(&self, what: impl FnOnce() -> String) {
        if self.told {
            eprintln!("{:>7} {}", self.time.now(), what());
        }
    }

    /// A server is driven after `delay`, unless it is before.
    pub(super) fn plan_step(&mut self, server: usize, delay: u64) {
        let at = self.time.now() + delay;
        let it = &mut self.servers[server];
        if it.due.is_none_or(|due| due > at) {
            it.due = Some(at);
            let process = it.process;
            self.plan(delay, Event::Step { server, process });
        }
    }

    /// A client acts after `delay`, and not before, whatever it had planned.
    pub(super) fn plan_act(&mut self, client: usize, delay: u64) {
        self.clients[client].acts += 1;
        let number = self.clients[client].acts;
        self.plan(delay, Event::Act { client, number });
    }

    pub(super) fn happens(&mut self, chance: u64) -> bool {
        !self.calm && chance > 0 && self.rng.u64(0..1000) < chance
    }

    pub(super) fn trouble(&self, server: usize, change: impl FnOnce(&mut Trouble)) {
        let trouble = &self.servers[server].trouble;
        change(&mut trouble.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn install(&mut self) {
        let clock = Arc::new(MachineClock::new(self.scenario.begin, self.time.clone(), None));
        let options = Pool::options().local().clock(clock).instance(self.rng.u64(..));
        let (pool, mut driver) =
            options.open_driven(self.store.clone()).expect("memory takes every server");
        for ledger in 0..self.scenario.ledgers {
            let document = self.scenario.document(ledger);
            let installed = pool.install_with(document.as_bytes(), InstallOptions::default());
            driver.step();
            let receipt = installed.try_take().expect("one step installs");
            receipt.expect("the document is a license");
        }
    }

    fn start(&mut self, server: usize) {
        if self.servers[server].running.is_some() || self.servers[server].is_gone {
            return;
        }
        let wrong = self.servers[server].clock.is_ahead();
        if wrong && matches!(self.scenario.clocks, Clocks::FarFuture | Clocks::Back) {
            // Who starts believes its clock, which is not what these runs look for.
            self.plan(1_000, Event::Start { server });
            return;
        }
        let instance = self.rng.u64(..);
        self.trouble(server, |trouble| trouble.crashed = false);
        let lease = Duration::from_secs(self.scenario.lease_seconds);
        let store = self.store.clone();
        let it = &mut self.servers[server];
        let options = Pool::options()
            .server(it.name.clone())
            .serving()
            .lease(lease)
            .grace(lease)
            .clock(it.clock.clone())
            .instance(instance);
        match options.open_driven(Link::log(store, it.trouble.clone())) {
            Ok(running) => {
                it.running = Some(running);
                it.process += 1;
                it.due = None;
                let process = it.process;
                self.tell(|| format!("server-{server} starts"));
                self.trouble(server, |trouble| trouble.restarted = process > 1);
                self.plan_step(server, 0);
            }
            Err(_) => self.plan(1_000, Event::Start { server }),
        }
    }

    pub(super) fn kill(&mut self, server: usize) {
        self.tell(|| format!("server-{server} dies"));
        let it = &mut self.servers[server];
        let Some((pool, driver)) = it.running.take() else { return };
        drop(driver);
        drop(pool);
        it.owed.clear();
        it.process += 1;
        it.frozen_until = 0;
        self.tally.crashes += 1;
        let longest = match self.calm {
            true => 1_000,
            false if self.rng.bool() => 10_000,
            false => 200_000,
        };
        let delay = self.rng.u64(10..longest);
        self.plan(delay, Event::Start { server });
    }

    fn step(&mut self, server: usize, process: u64) -> Result<(), String> {
        let now = self.time.now();
        let it = &mut self.servers[server];
        if it.process != process || it.running.is_none() || it.due != Some(now) {
            return Ok(());
        }
        it.due = None;
        if it.frozen_until > now {
            let delay = it.frozen_until - now;
            self.plan_step(server, delay);
            return Ok(());
        }
        let before = self.truth.ends();
        let (_, driver) = it.running.as_mut().expect("it was there above");
        let next = driver.step();
        self.tally.steps += 1;
        self.judge_log()?;
        let mut crashed = false;
        self.trouble(server, |trouble| crashed = trouble.crashed);
        if crashed {
            self.kill(server);
            return Ok(());
        }
        self.judge_replies(server, &before)?;
        if self.servers[server].running.is_some()
            && let Some(next) = next
        {
            let delay = next.saturating_sub(self.servers[server].clock.elapsed());
            let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX).clamp(1, 60_000);
            self.plan_step(server, delay);
        }
        Ok(())
    }

    pub(super) fn end_of(&self, ledger: usize) -> u64 {
        self.truth.ledger(ledger_id(ledger)).map_or(0, |history| history.end())
    }
}

pub(super) fn ledger_id(ledger: usize) -> LedgerId {
    LedgerId(i64::try_from(ledger).unwrap_or(i64::MAX) + 1)
}
