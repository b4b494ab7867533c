//! The processes that share the store: started, driven, killed, and what each owes its callers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use license_pool::log::LedgerId;
use license_pool::{Clock as _, Driver, Error, Options, Pending, Pool};
use license_types::{RenewReceipt, ServerName};

use super::client::{Doing, Kind};
use super::clock::MachineClock;
use super::line::Line;
use super::link::{Link, Stall, Told, Trouble};
use super::orders::Order;
use super::replies::{Answer, Question};
use super::scenario::{Clocks, Term};
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
    pub(super) running: Option<Pool>,
    /// What drives it.
    pub(super) work: Option<Work>,
    pub(super) frozen_until: u64,
    /// When it is driven next.
    pub(super) due: Option<u64>,
    /// It never comes back.
    pub(super) is_gone: bool,
    pub(super) owed: Vec<Owed>,
    /// What it was told to end.
    pub(super) orders: Vec<Order>,
    /// Who waits in line there.
    pub(super) line: Line,
}

/// What drives a process.
pub(super) enum Work {
    Ready(Box<Driver>),
    /// It waits for the store, in the middle of a step.
    Waits(Waiting),
}

/// A step that has begun, on a thread of its own: it or the world runs, never both.
pub(super) struct Waiting {
    told: Receiver<Told>,
    over: Sender<()>,
    /// Where the ledgers ended when it began.
    pub(super) before: BTreeMap<LedgerId, u64>,
}

/// A step that is done.
struct Done {
    before: BTreeMap<LedgerId, u64>,
    next: Option<Duration>,
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

impl Owed {
    /// The answers to a list, which come together.
    pub(super) fn list(
        questions: Vec<Question>,
        pending: Pending<Vec<Result<RenewReceipt, Error>>>,
    ) -> Vec<Owed> {
        let mut waits = Some(pending);
        let mut answers: Vec<Option<Result<RenewReceipt, Error>>> = Vec::new();
        let count = questions.len();
        let take = move |place: usize| {
            if let Some(pending) = waits.take() {
                match pending.try_take() {
                    Ok(Ok(list)) => {
                        assert_eq!(list.len(), count, "each of a list is answered");
                        answers = list.into_iter().map(Some).collect();
                    }
                    Ok(Err(error)) => answers = vec![Some(Err(error)); count],
                    Err(pending) => {
                        waits = Some(pending);
                        return None;
                    }
                }
            }
            Some(Answer::Renewed(answers.get_mut(place)?.take()?))
        };
        let take = Rc::new(RefCell::new(take));
        let owed = questions.into_iter().enumerate().map(|(place, question)| {
            let take = take.clone();
            Owed { question, answer: Box::new(move || (take.borrow_mut())(place)) }
        });
        owed.collect()
    }
}

impl World {
    /// How a process of this kind opens the store.
    fn options(&self, server: usize) -> Options {
        let it = &self.servers[server];
        let Term { lease, grace } = self.scenario.terms[server.min(self.scenario.terms.len() - 1)];
        let (lease, grace) = (Duration::from_secs(lease), Duration::from_secs(grace));
        let keep = self.scenario.keep;
        let options = Pool::options().lease(lease).grace(grace).clock(it.clock.clone());
        let options = options.snapshots(keep.snapshots).history(keep.history);
        let options = options.sleep(Duration::from_secs(self.scenario.sleep));
        let options = match keep.identities {
            Some(identities) => options.identities(identities),
            None => options,
        };
        match it.part {
            Part::Server => {
                options.server(it.name.clone()).serving().connections(self.scenario.connections)
            }
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
        self.trouble(server, |trouble| (trouble.crashed, trouble.handles) = (false, 0));
        let options = self.options(server).instance(instance);
        let store = self.store.clone();
        let it = &mut self.servers[server];
        match options.open_driven(Link::log(store, it.trouble.clone())) {
            Ok((pool, driver)) => {
                it.name = pool.server().clone();
                it.running = Some(pool);
                it.work = Some(Work::Ready(Box::new(driver)));
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
        if self.servers[server].running.is_none() {
            return;
        }
        self.end(server);
        let it = &mut self.servers[server];
        it.running = None;
        self.granted.retain(|grant| grant.server != it.name);
        it.owed.clear();
        it.orders.clear();
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
        let Some(Done { before, next }) = self.drive(server)? else { return Ok(()) };
        self.tally.steps += 1;
        let mut lost = false;
        self.trouble(server, |trouble| lost = mem::take(&mut trouble.lost));
        if lost {
            let delay = self.rng.u64(100..20_000);
            self.tell(|| format!("server-{server} loses the store in a commit for {delay} ms"));
            self.plan(delay, Event::StoreBack { server });
        }
        self.judge_log()?;
        let mut crashed = false;
        self.trouble(server, |trouble| crashed = trouble.crashed);
        if crashed {
            self.kill(server);
            return Ok(());
        }
        self.judge_replies(server, &before)?;
        self.note_orders(server);
        self.judge_line(server)?;
        let it = &self.servers[server];
        self.granted.retain(|grant| grant.server != it.name);
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

    /// Drives a process, which may have waited; nothing where it waits for the store from now on.
    fn drive(&mut self, server: usize) -> Result<Option<Done>, String> {
        let (now, stalls) = (self.time.now(), self.happens(self.scenario.stalls));
        let it = &mut self.servers[server];
        let waiting = match it.work.take() {
            None => return Ok(None),
            Some(Work::Waits(waiting)) => {
                let _ = waiting.over.send(());
                waiting
            }
            Some(Work::Ready(mut driver)) => {
                it.line.see(now);
                it.orders.iter_mut().for_each(Order::see);
                let before = self.truth.ends();
                if !stalls {
                    let next = driver.step();
                    it.work = Some(Work::Ready(driver));
                    return Ok(Some(Done { before, next }));
                }
                let (tell, told) = channel();
                let (over, is_over) = channel();
                let stall = Stall { before: self.rng.u64(0..6), tell: tell.clone(), over: is_over };
                self.trouble(server, |trouble| trouble.stall = Some(stall));
                thread::spawn(move || {
                    let next = driver.step();
                    drop(tell.send(Told::Done(driver, next)));
                });
                Waiting { told, over, before }
            }
        };
        match waiting.told.recv() {
            Ok(Told::Done(driver, next)) => {
                self.trouble(server, |trouble| trouble.stall = None);
                self.servers[server].work = Some(Work::Ready(driver));
                Ok(Some(Done { before: waiting.before, next }))
            }
            Ok(Told::Waits) => {
                let longest = if self.rng.u8(0..4) == 0 { 120_000 } else { 3_000 };
                let delay = self.rng.u64(1..longest);
                self.tell(|| format!("server-{server} waits {delay} ms for the store"));
                let it = &mut self.servers[server];
                it.work = Some(Work::Waits(waiting));
                it.frozen_until = now + delay;
                it.line.is_vague = true;
                self.tally.stalls += 1;
                self.plan_step(server, delay);
                self.judge_log()?;
                Ok(None)
            }
            Err(_) => Err(format!("server-{server} panicked")),
        }
    }

    /// Nothing that a process does from now on has any effect.
    fn end(&mut self, server: usize) {
        if let Some(Work::Waits(Waiting { told, over, .. })) = self.servers[server].work.take() {
            self.trouble(server, |trouble| trouble.crashed = true);
            drop(over);
            // It comes to its end before the world goes on, so that the same seed tells the same.
            drop(told.recv());
        }
    }

    /// A single command has its answer: its process ends in good order.
    fn end_command(&mut self, server: usize) -> Result<(), String> {
        let Process { running, work, .. } = &mut self.servers[server];
        if let (Some(pool), Some(Work::Ready(driver))) = (running, work) {
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
