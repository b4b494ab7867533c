//! What clients send, and what they make of the answers.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use license_core::{Release, Retain, Target};
use license_pool::{InstallOptions, Pool};
use license_types::{LeaseSeconds, Principal, Session, SessionId, SessionState, Token};

use super::client::{Client, Doing, Holding, Kind, Named, Request, Wish};
use super::orders::Order;
use super::process::Owed;
use super::replies::{Answer, Question, Reply};
use super::scenario;
use super::world::{Event, PATIENCE, World};

impl World {
    pub(super) fn act(&mut self, place: usize) {
        let now = self.time.now();
        let client = &mut self.clients[place];
        client.sent += 1;
        let (kind, doing) = (client.kind, mem::replace(&mut client.doing, Doing::Idle));
        let request = match doing {
            Doing::Gone => {
                client.doing = Doing::Gone;
                return;
            }
            Doing::Idle if self.calm => return,
            Doing::Idle => Request { wish: self.retain(kind), sent: now, holding: None },
            // No answer came: the same again, perhaps elsewhere.
            Doing::Asking(_) if kind == Kind::Lease && self.happens(self.scenario.deaths / 20) => {
                self.clients[place].doing = Doing::Gone;
                return;
            }
            Doing::Asking(request) => {
                if request.holding.as_ref().is_some_and(|holding| holding.until <= now) {
                    // The lease is lost: nothing is held any more, as far as the client knows.
                    self.plan_act(place, 1_000);
                    return;
                }
                if kind == Kind::Lease && self.rng.bool() {
                    let server = self.any_server();
                    if !self.servers[server].is_gone {
                        self.clients[place].server = server;
                    }
                }
                match request.wish {
                    // A lease counts from when the request was sent that was answered.
                    Wish::Retain { .. } | Wish::Renew => Request { sent: now, ..request },
                    Wish::Release { .. } => request,
                }
            }
            Doing::Holding(holding) if holding.until <= now => {
                self.plan_act(place, 1_000);
                return;
            }
            Doing::Holding(_) if kind == Kind::Lease && self.happens(self.scenario.deaths / 10) => {
                self.clients[place].doing = Doing::Gone;
                return;
            }
            Doing::Holding(holding) if self.calm || holding.wanted <= now => {
                let client = &mut self.clients[place];
                if let Some(seat) = client.seat.take_if(|_| self.rng.bool()) {
                    // Nobody tells when it is released.
                    drop(seat);
                    let server = client.server;
                    self.plan_step(server, 0);
                    self.plan_act(place, 5_000);
                    return;
                }
                let wish = Wish::Release { token: holding.token, named: self.named(place) };
                Request { wish, sent: now, holding: None }
            }
            Doing::Holding(holding) => {
                let request = Request { wish: Wish::Renew, sent: now, holding: Some(holding) };
                if kind == Kind::Lease && self.happens(self.scenario.lists) {
                    self.clients[place].doing = Doing::Asking(request);
                    self.renew_in_list(place);
                    return;
                }
                request
            }
        };
        let (wish, client) = (request.wish, &mut self.clients[place]);
        client.doing = Doing::Asking(request);
        let (server, session, number) = (client.server, client.session.clone(), client.sent);
        self.tell(|| format!("client-{place} asks server-{server}: {wish:?}"));
        if kind != Kind::Lease || !self.happens(self.scenario.loss) {
            let delay = if kind == Kind::Lease { self.delay() } else { 0 };
            self.plan(delay, Event::Arrive { server, client: place, session, number, wish });
        }
        let waits = if let Wish::Retain { wait } = wish { wait } else { 0 };
        let again = PATIENCE + waits + self.rng.u64(0..1_000);
        self.plan_act(place, again);
    }

    /// By what a client names what it releases.
    fn named(&mut self, place: usize) -> Named {
        let client = &self.clients[place];
        let of_session = |it: &&Client| it.session == client.session && it.ledger == client.ledger;
        let is_alone = self.clients.iter().filter(of_session).count() == 1;
        match self.rng.u8(0..4) {
            _ if client.kind == Kind::Seat => Named::Token,
            0 if is_alone => Named::Session,
            0 | 1 => Named::Product,
            _ => Named::Token,
        }
    }

    /// A client renews, and others with it that hold of the same ledger in the same name: as one who
    /// speaks for many.
    fn renew_in_list(&mut self, place: usize) {
        let now = self.time.now();
        let first = &self.clients[place];
        let (server, ledger, principal) = (first.server, first.ledger, first.principal.clone());
        let mut listed = vec![(place, first.sent)];
        for (other, client) in self.clients.iter_mut().enumerate() {
            let is_of_them = (client.kind, client.ledger) == (Kind::Lease, ledger)
                && client.principal == principal;
            let Doing::Holding(holding) = &client.doing else { continue };
            if is_of_them && holding.until > now && holding.wanted > now {
                client.sent += 1;
                listed.push((other, client.sent));
                let holding = Some(holding.clone());
                client.doing = Doing::Asking(Request { wish: Wish::Renew, sent: now, holding });
            }
        }
        self.tell(|| format!("clients {listed:?} are renewed at server-{server}"));
        for (client, _) in &listed {
            let again = PATIENCE + self.rng.u64(0..1_000);
            self.plan_act(*client, again);
        }
        if !self.happens(self.scenario.loss) {
            let delay = self.delay();
            self.plan(delay, Event::ArriveList { server, listed });
        }
    }

    fn retain(&mut self, kind: Kind) -> Wish {
        let waits = kind == Kind::Lease && self.happens(self.scenario.waits);
        Wish::Retain { wait: if waits { self.rng.u64(100..20_000) } else { 0 } }
    }

    pub(super) fn delay(&mut self) -> u64 {
        let most = if self.calm { 20 } else { self.scenario.latency };
        self.rng.u64(0..=most)
    }

    /// A process as a client speaks to it.
    fn pool(&self, server: usize, place: usize) -> Option<Pool> {
        let Client { ledger, principal, .. } = &self.clients[place];
        let pool = self.servers[server].running.as_ref()?.license(scenario::number(*ledger));
        Some(match principal {
            Some(principal) => pool.acting_for(principal.clone()),
            None => pool,
        })
    }

    pub(super) fn arrive(
        &mut self,
        server: usize,
        place: usize,
        session: SessionId,
        number: u64,
        wish: Wish,
    ) {
        let Client { kind, sent, .. } = self.clients[place];
        if kind != Kind::Lease && number != sent {
            return; // Who asks within a process asks nothing that is late.
        }
        if kind == Kind::Command {
            self.start(server);
        }
        let Some(pool) = self.pool(server, place) else { return };
        let Client { product, lease, ledger, seat, state, .. } = &mut self.clients[place];
        let (product, lease, ledger, state) = (*product, *lease, *ledger, *state);
        let seat = seat.take();
        let after = self.end_of(ledger);
        let (client, asked) = (Some(place), self.time.now());
        let question =
            Question { client, session: session.clone(), number, wish, ledger, after, asked };
        let owed = match wish {
            Wish::Retain { wait } => {
                let described = Session::rest("ann", session.as_str(), "127.0.0.1");
                let mut retain = Retain::new(product, session, described);
                if kind == Kind::Seat {
                    Owed::new(question, pool.retain_with(retain), Answer::Seated)
                } else {
                    retain.lease_seconds = LeaseSeconds::new(lease).ok();
                    retain.max_seats = self.scenario.max_seats;
                    let seeker = (ledger, question.session.clone(), product);
                    self.servers[server].line.arrive(seeker, wait > 0);
                    let wait = Some(Duration::from_millis(wait));
                    Owed::new(question, pool.grant(retain, wait), |it| {
                        Answer::Granted(it.map(Box::new))
                    })
                }
            }
            Wish::Renew => {
                Owed::new(question, pool.renew_async(session.as_str(), state), Answer::Renewed)
            }
            Wish::Release { token, named } => match seat {
                Some(seat) => Owed::new(question, seat.release_async(), Answer::SeatReleased),
                None => {
                    let token = Token::new(token).expect("a token of the engine's");
                    let (product, token) = match named {
                        Named::Token => (Some(product), Some(token)),
                        Named::Product => (Some(product), None),
                        Named::Session => (None, None),
                    };
                    if named != Named::Token {
                        self.servers[server].orders.push(Order::new(&question, product));
                    }
                    let target = Target::Session { session: Arc::new(session), product, token };
                    let pending = pool.release_with(Release::new(target));
                    Owed::new(question, pending, Answer::Released)
                }
            },
        };
        self.owe(server, owed);
    }

    pub(super) fn arrive_listed(&mut self, server: usize, listed: &[(usize, u64)]) {
        let Some(pool) = self.pool(server, listed[0].0) else { return };
        let ledger = self.clients[listed[0].0].ledger;
        let (after, asked) = (self.end_of(ledger), self.time.now());
        let (mut sessions, mut questions) = (Vec::new(), Vec::new());
        for (client, number) in listed.iter().copied() {
            let Client { session, state, .. } = &self.clients[client];
            sessions.push((session.clone(), *state));
            let (client, session, wish) = (Some(client), session.clone(), Wish::Renew);
            questions.push(Question { client, session, number, wish, ledger, after, asked });
            self.tally.listed += 1;
        }
        for owed in Owed::list(questions, pool.renew_all(sessions)) {
            self.owe(server, owed);
        }
    }

    /// Somebody reads the usage; nobody waits for what it says.
    pub(super) fn ask(&mut self, server: usize) {
        let ledger = self.rng.usize(0..self.scenario.ledgers);
        self.put(server, ledger, |pool, question| {
            Owed::new(question, pool.held_async(None), Answer::Held)
        });
        let (server, delay) = (self.any_server(), self.rng.u64(500..5_000));
        self.plan(delay, Event::Ask { server });
    }

    /// Somebody tries to release what is another's.
    pub(super) fn steal(&mut self) {
        let (server, place) = (self.any_server(), self.rng.usize(0..self.clients.len()));
        let delay = self.rng.u64(1_000..20_000);
        self.plan(delay, Event::Steal);
        let Client { session, ledger, principal, .. } = &self.clients[place];
        if principal.is_none() {
            return;
        }
        let (session, ledger) = (session.clone(), *ledger);
        let thief = Principal::new("thief").expect("a principal");
        self.put(server, ledger, |pool, question| {
            let released = pool.acting_for(thief).release_async(session.as_str(), None);
            Owed::new(question, released, Answer::Stolen)
        });
    }

    /// Perhaps a license is replaced by another, which may bear another number, or uninstalled.
    pub(super) fn replace(&mut self) {
        self.plan(10_000, Event::Replace);
        if !self.happens(self.scenario.replaces) {
            return;
        }
        let (server, ledger) = (self.any_server(), self.rng.usize(0..self.scenario.ledgers));
        self.servers[server].line.part();
        if self.rng.u8(0..3) == 0 {
            self.put(server, ledger, |pool, question| {
                Owed::new(question, pool.uninstall_async(), Answer::Uninstalled)
            });
            return;
        }
        let offers = self.scenario.others(&mut self.rng);
        let number = scenario::number(ledger);
        let other = if self.rng.bool() { format!("{number}-again") } else { number.clone() };
        let document = scenario::document(&other, &offers);
        self.put(server, ledger, |pool, question| {
            let options = InstallOptions { replaces: Some(number), dry_run: false };
            let installed = pool.install_with(document.as_bytes(), options);
            Owed::new(question, installed, Answer::Installed)
        });
    }

    /// Perhaps somebody says that the clock of a server is right.
    pub(super) fn correct(&mut self) {
        self.plan(10_000, Event::Correct);
        if !self.happens(self.scenario.corrects) {
            return;
        }
        let (server, ledger) = (self.any_server(), self.rng.usize(0..self.scenario.ledgers));
        self.put(server, ledger, |pool, question| {
            Owed::new(question, pool.correct_clock(), Answer::Corrected)
        });
    }

    /// Puts a question that no client waits for.
    fn put(&mut self, server: usize, ledger: usize, ask: impl FnOnce(Pool, Question) -> Owed) {
        let after = self.end_of(ledger);
        if let Some(pool) = &self.servers[server].running {
            let pool = pool.license(scenario::number(ledger));
            let (wish, asked) = (Wish::Renew, self.time.now());
            let session = SessionId::new("nobody").expect("a session id");
            let question =
                Question { client: None, session, number: 0, wish, ledger, after, asked };
            self.owe(server, ask(pool, question));
        }
    }

    fn owe(&mut self, server: usize, owed: Owed) {
        let delay = self.rng.u64(0..3);
        self.servers[server].owed.push(owed);
        self.plan_step(server, delay);
    }

    pub(super) fn hear(&mut self, place: usize, number: u64, reply: &Reply) {
        let now = self.time.now();
        let wanted = self.rng.u64(1_000..if self.calm { 2_000 } else { 60_000 });
        let client = &mut self.clients[place];
        let Doing::Asking(request) = &client.doing else { return };
        if number != client.sent {
            return; // An answer that comes late is an answer to nothing.
        }
        let request = request.clone();
        self.tell(|| format!("client-{place} hears {reply:?}"));
        let sleep = self.scenario.sleep;
        let client = &mut self.clients[place];
        let sleeps = client.state == Some(SessionState::Sleeping) && request.wish == Wish::Renew;
        let next = match reply {
            Reply::Held { token, lease_seconds } => {
                let wanted = request.holding.map_or(now + wanted, |holding| holding.wanted);
                let (until, renews) = match lease_seconds {
                    Some(lease) => {
                        let lease = if sleeps { sleep.max(*lease) } else { *lease };
                        (request.sent + lease * 1_000, now + lease * 1_000 / 3)
                    }
                    None => (u64::MAX, u64::MAX),
                };
                client.doing = Doing::Holding(Holding { token: *token, until, renews, wanted });
                renews.min(wanted).max(now + 1) - now
            }
            Reply::Nothing | Reply::Released | Reply::Refused => {
                client.doing = Doing::Idle;
                1_000 + wanted / 10
            }
            // The request stays, and is made again.
            Reply::Failed => return,
        };
        client.sent += 1;
        self.plan_act(place, next);
    }
}
