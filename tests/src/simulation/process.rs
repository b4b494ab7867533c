//! The processes that share the store: started, driven, killed, and what each owes its callers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use license_pool::{Clock as _, Driver, Error, Options, Pending, Pool};
use license_types::ServerName;

use super::client::{Doing, Kind};
use super::clock::MachineClock;
use super::line::Line;
use super::link::{Link, Trouble};
use super::replies::{Answer, Question};
use super::scenario::Clocks;
use super::world::{Event, World};

/// What a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A server under a name of its own, which adopts what others leave behind.
    Server,
    /// A program that embeds the engine, under a name that was made up for it.
    Library,
    /// Single commands, one after the other; there is no process between them.
    Console,
}

/// One process, or the next one in its place.
pub(super) struct Process {
    pub(super) part: Part,
    pub(super) name: ServerName,
    pub(super) clock: Arc<MachineClock>,
    pub(super) trouble: Arc<Mutex<Trouble>>,
    /// How often it was started.
    pub(super) process: u64,
    pub(super) running: Option<(Pool, Driver)>,
    pub(super) frozen_until: u64,
    /// When it is driven next.
    pub(super) due: Option<u64>,
    /// It never comes back.
    pub(super) is_gone: bool,
    pub(super) owed: Vec<Owed>,
    /// Who waits in line there.
    pub(super) line: Line,
}

/// An answer that a process owes.
pub(super) struct Owed {
    pub(super) question: Question,
    /// Gives the answer, once it is there.
    pub(super) answer: Box<dyn FnMut() -> Option<Answer>>,
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

impl World {
    /// How a process of this kind opens the store.
    fn options(&self, server: usize) -> Options {
        let it = &self.servers[server];
        let lease = Duration::from_secs(self.scenario.lease_seconds);
        let keep = self.scenario.keep;
        let options = Pool::options().lease(lease).grace(lease).clock(it.clock.clone());
        let options = options.snapshots(keep.snapshots).history(keep.history);
        let options = match keep.identities {
            Some(identities) => options.identities(identities),
            None => options,
        };
        match it.part {
            Part::Server => options.server(it.name.clone()).serving(),
            Part::Library => options,
            Part::Console => options.local(),
        }
    }

    pub(super) fn start(&mut self, server: usize) {
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
        let options = self.options(server).instance(instance);
        let store = self.store.clone();
        let it = &mut self.servers[server];
        match options.open_driven(Link::log(store, it.trouble.clone())) {
            Ok((pool, driver)) => {
                it.name = pool.server().clone();
                it.running = Some((pool, driver));
                it.process += 1;
                it.due = None;
                let process = it.process;
                self.tell(|| format!("server-{server} starts"));
                self.trouble(server, |trouble| trouble.restarted = process > 1);
                self.note_beats();
                self.plan_step(server, 0);
            }
            Err(_) if self.servers[server].part == Part::Console => {}
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
        it.line = Line::default();
        it.process += 1;
        it.frozen_until = 0;
        match it.part {
            Part::Console => return,
            Part::Server => {}
            Part::Library => self.orphan(server),
        }
        self.tally.crashes += 1;
        let longest = match self.calm {
            true => 1_000,
            false if self.rng.bool() => 10_000,
            false => 200_000,
        };
        let delay = self.rng.u64(10..longest);
        self.plan(delay, Event::Start { server });
    }

    /// The clients of a library died with it; those of the next process have the same sessions.
    fn orphan(&mut self, server: usize) {
        for place in 0..self.clients.len() {
            let client = &mut self.clients[place];
            if client.kind == Kind::Seat && client.server == server {
                client.seat = None;
                client.sent += 1;
                client.doing = Doing::Idle;
                let delay = self.rng.u64(1_000..30_000);
                self.plan_act(place, delay);
            }
        }
    }

    pub(super) fn step(&mut self, server: usize, process: u64) -> Result<(), String> {
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
        it.line.see(now);
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
        self.judge_line(server)?;
        let it = &self.servers[server];
        if it.part == Part::Console && it.owed.is_empty() {
            self.end_command(server)?;
        } else if it.running.is_some()
            && let Some(next) = next
        {
            let delay = next.saturating_sub(it.clock.elapsed());
            let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX).clamp(1, 60_000);
            self.plan_step(server, delay);
        }
        Ok(())
    }

    /// A single command has its answer: its process ends in good order.
    fn end_command(&mut self, server: usize) -> Result<(), String> {
        if let Some((pool, driver)) = &mut self.servers[server].running {
            drop(pool.close());
            while driver.step().is_some() {}
            self.judge_log()?;
        }
        self.kill(server);
        Ok(())
    }

    pub(super) fn trouble(&self, server: usize, change: impl FnOnce(&mut Trouble)) {
        let trouble = &self.servers[server].trouble;
        change(&mut trouble.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
