//! The world of one run: who is in it, and what happens next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use license_pool::log::{LedgerId, MemoryLog};
use license_pool::{InstallOptions, Pool};
use license_types::{Principal, ServerName, SessionId, SessionState};

use super::client::{Client, Doing, Kind, Wish};
use super::clock::{MachineClock, TrueTime};
use super::line::Line;
use super::link::Trouble;
use super::past::Backup;
use super::process::{Part, Process};
use super::replies::Reply;
use super::scenario::{self, Scenario};
use super::truth::{Grant, Truth};
use super::{Failure, Planted, Tally};

/// How long a client waits for an answer before it asks again.
pub(super) const PATIENCE: u64 = 3_000;

/// Something that is to happen.
pub(super) enum Event {
    /// A client acts, unless it made another plan since.
    Act { client: usize, number: u64 },
    /// A request of a session arrives at a process.
    Arrive { server: usize, client: usize, session: SessionId, number: u64, wish: Wish },
    /// A list of renewals arrives at a server: of which clients, and the number of each request.
    ArriveList { server: usize, listed: Vec<(usize, u64)> },
    /// Somebody asks a server what is held.
    Ask { server: usize },
    /// Somebody tries to release what another holds.
    Steal,
    /// A license is replaced, perhaps.
    Replace,
    /// Somebody says that the clock of a server is right, perhaps.
    Correct,
    /// A process is driven.
    Step { server: usize, process: u64 },
    /// A process is started.
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

/// What the register shows of a server: its epoch, its beat, and who it is; nobody once it was ended.
pub(super) type Shown = (u64, u64, String);

/// What the register showed of a server, and since when.
#[derive(Clone)]
pub(super) struct Beat {
    pub(super) shown: Shown,
    /// So long its silence is borne, in milliseconds.
    pub(super) borne: u64,
    pub(super) since: u64,
    /// Since when it did as far as those know who did not notice that the store went back.
    pub(super) since_before: u64,
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
    pub(super) backup: Option<Backup>,
    pub(super) truth: Truth,
    /// What was granted in the steps that run.
    pub(super) granted: Vec<Grant>,
    /// The servers, the libraries, and the console.
    pub(super) servers: Vec<Process>,
    pub(super) beats: BTreeMap<ServerName, Beat>,
    /// What each server showed last of itself, also where others ended it since.
    pub(super) shown: BTreeMap<ServerName, Shown>,
    /// Who cannot have noticed that the store went back: it had not beaten since the backup.
    pub(super) unaware: BTreeSet<ServerName>,
    pub(super) clients: Vec<Client>,
    /// Whether nothing goes wrong any more, and since when.
    pub(super) calm: bool,
    pub(super) calm_since: Option<u64>,
    pub(super) tally: Tally,
}

impl World {
    pub(super) fn new(seed: u64, planted: Option<Planted>, told: bool) -> World {
        let mut rng = Rng::with_seed(seed);
        let scenario = Scenario::new(&mut rng, planted);
        let time = TrueTime::default();
        let (servers, libraries) = (scenario.servers, scenario.libraries);
        let processes = (0..=servers + libraries).map(|place| {
            let part = match place {
                _ if place < servers => Part::Server,
                _ if place < servers + libraries => Part::Library,
                _ => Part::Console,
            };
            let Scenario { fails, unanswered, crashes, .. } = scenario;
            let trouble = Trouble {
                rng: rng.fork(),
                away: false,
                away_for: None,
                handles: 0,
                fails,
                unanswered,
                crashes,
                crashed: false,
                unknown: 0,
                lost: false,
                planted,
                restarted: false,
                stall: None,
            };
            Process {
                part,
                name: ServerName::new(format!("server-{place}")).expect("a server name"),
                clock: Arc::new(MachineClock::new(scenario.begin, time.clone(), planted)),
                trouble: Arc::new(Mutex::new(trouble)),
                process: 0,
                running: None,
                work: None,
                frozen_until: 0,
                due: None,
                is_gone: false,
                owed: Vec::new(),
                orders: Vec::new(),
                line: Line::default(),
            }
        });
        let processes = processes.collect();
        let clients = clients(&mut rng, &scenario);
        World {
            seed,
            told,
            truth: Truth::new(scenario.max_seats),
            granted: Vec::new(),
            rng,
            scenario,
            time,
            agenda: BTreeMap::new(),
            planned: 0,
            store: MemoryLog::default(),
            backup: None,
            servers: processes,
            beats: BTreeMap::new(),
            shown: BTreeMap::new(),
            unaware: BTreeSet::new(),
            clients,
            calm: false,
            calm_since: None,
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
        for server in 0..self.console() {
            self.plan(0, Event::Start { server });
        }
        for client in 0..self.clients.len() {
            let at = self.rng.u64(0..5_000);
            self.plan_act(client, at);
        }
        self.plan(1_000, Event::Chaos);
        self.plan(2_000, Event::Ask { server: 0 });
        self.plan(3_000, Event::Steal);
        self.plan(4_000, Event::Replace);
        self.plan(5_000, Event::Correct);
        self.until(self.scenario.trouble)?;
        self.calm_down();
        let free = self.scenario.free_after() + 2 * PATIENCE;
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
            Event::Arrive { server, client, session, number, wish } => {
                self.arrive(server, client, session, number, wish);
            }
            Event::ArriveList { server, listed } => self.arrive_listed(server, &listed),
            Event::Ask { server } => self.ask(server),
            Event::Steal => self.steal(),
            Event::Replace => self.replace(),
            Event::Correct => self.correct(),
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

    /// A process is driven after `delay`, unless it is before.
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

    /// One of the servers that anybody may ask.
    pub(super) fn any_server(&mut self) -> usize {
        self.rng.usize(0..self.scenario.servers)
    }

    fn console(&self) -> usize {
        self.servers.len() - 1
    }

    fn install(&mut self) {
        let clock = Arc::new(MachineClock::new(self.scenario.begin, self.time.clone(), None));
        let options = Pool::options().local().clock(clock).instance(self.rng.u64(..));
        let (pool, mut driver) =
            options.open_driven(self.store.clone()).expect("memory takes every server");
        for ledger in 0..self.scenario.ledgers {
            let document = scenario::document(&scenario::number(ledger), &self.scenario.offers);
            let installed = pool.install_with(document.as_bytes(), InstallOptions::default());
            driver.step();
            let receipt = installed.try_take().expect("one step installs");
            receipt.expect("the document is a license");
        }
    }

    pub(super) fn end_of(&self, ledger: usize) -> u64 {
        self.truth.ledger(ledger_id(ledger)).map_or(0, |history| history.end())
    }
}

/// Everybody who asks for licenses.
fn clients(rng: &mut Rng, scenario: &Scenario) -> Vec<Client> {
    let (servers, libraries) = (scenario.servers, scenario.libraries);
    let mut clients: Vec<Client> = Vec::with_capacity(scenario.clients);
    for place in 0..scenario.clients {
        let kind = match rng.u8(0..8) {
            0 => Kind::Command,
            1..3 if libraries > 0 => Kind::Seat,
            _ => Kind::Lease,
        };
        let named = |name: u64| Principal::new(format!("user-{name}")).expect("a principal");
        let mut client = Client {
            kind,
            principal: (kind == Kind::Lease).then(|| named(place as u64 % 3)),
            seat: None,
            session: SessionId::new(format!("client-{place}")).expect("a session id"),
            state: None,
            product: scenario.offers[rng.usize(0..scenario.offers.len())].product,
            lease: scenario.leases[rng.usize(0..scenario.leases.len())],
            ledger: rng.usize(0..scenario.ledgers),
            server: match kind {
                Kind::Lease => rng.usize(0..servers),
                Kind::Seat => servers,
                Kind::Command => servers + libraries,
            },
            doing: Doing::Idle,
            sent: 0,
            acts: 0,
        };
        let is_single = |it: &&mut Client| {
            it.kind == kind && it.session.as_str() == format!("client-{}", place - 1)
        };
        match (rng.u8(0..4), clients.last_mut().filter(is_single)) {
            (0, Some(beside)) if kind == Kind::Lease && beside.product != client.product => {
                beside.state = beside.state.filter(|it| *it != SessionState::Sleeping);
                client.session.clone_from(&beside.session);
                client.principal.clone_from(&beside.principal);
                client.ledger = beside.ledger;
            }
            (1 | 2, _) if kind == Kind::Lease => {
                client.state = rng.choice(SessionState::ALL).copied();
            }
            _ => {}
        }
        clients.push(client);
    }
    clients
}

pub(super) fn ledger_id(ledger: usize) -> LedgerId {
    LedgerId(i64::try_from(ledger).unwrap_or(i64::MAX) + 1)
}
