//! What clients send, and what they make of the answers.

use std::mem;
use std::sync::Arc;

use license_core::{Release, Retain, Target};
use license_types::{LeaseSeconds, Session, Token};

use super::client::{Client, Doing, Holding, Request, Wish};
use super::scenario;
use super::world::{Answer, Event, Owed, PATIENCE, Question, Reply, World};

impl World {
    pub(super) fn act(&mut self, place: usize) {
        let now = self.time.now();
        let client = &mut self.clients[place];
        client.sent += 1;
        let doing = mem::replace(&mut client.doing, Doing::Idle);
        let request = match doing {
            Doing::Gone => {
                client.doing = Doing::Gone;
                return;
            }
            Doing::Idle if self.calm => return,
            Doing::Idle => Request { wish: Wish::Retain, sent: now, holding: None },
            // No answer came: the same again, perhaps elsewhere.
            Doing::Asking(request) => {
                if request.holding.as_ref().is_some_and(|holding| holding.until <= now) {
                    // The lease is lost: nothing is held any more, as far as the client knows.
                    self.plan_act(place, 1_000);
                    return;
                }
                if self.rng.bool() {
                    let server = self.rng.usize(0..self.servers.len());
                    if !self.servers[server].is_gone {
                        self.clients[place].server = server;
                    }
                }
                match request.wish {
                    // A lease counts from when the request was sent that was answered.
                    Wish::Retain | Wish::Renew => Request { sent: now, ..request },
                    Wish::Release { .. } => request,
                }
            }
            Doing::Holding(holding) if holding.until <= now => {
                self.plan_act(place, 1_000);
                return;
            }
            Doing::Holding(_) if self.happens(self.scenario.deaths / 10) => {
                self.clients[place].doing = Doing::Gone;
                return;
            }
            Doing::Holding(holding) if self.calm || holding.wanted <= now => {
                let wish = Wish::Release { token: holding.token };
                Request { wish, sent: now, holding: None }
            }
            Doing::Holding(holding) => {
                Request { wish: Wish::Renew, sent: now, holding: Some(holding) }
            }
        };
        let (wish, client) = (request.wish, &mut self.clients[place]);
        client.doing = Doing::Asking(request);
        let (server, number) = (client.server, client.sent);
        self.tell(|| format!("client-{place} asks server-{server}: {wish:?}"));
        if !self.happens(self.scenario.loss) {
            let delay = self.delay();
            self.plan(delay, Event::Arrive { server, client: place, number, wish });
        }
        let again = PATIENCE + self.rng.u64(0..1_000);
        self.plan_act(place, again);
    }

    pub(super) fn delay(&mut self) -> u64 {
        let most = if self.calm { 20 } else { self.scenario.latency };
        self.rng.u64(0..=most)
    }

    pub(super) fn arrive(&mut self, server: usize, client: usize, number: u64, wish: Wish) {
        let Some((pool, _)) = &self.servers[server].running else { return };
        let Client { session, product, ledger, .. } = &self.clients[client];
        let ledger = *ledger;
        let pool = pool.license(scenario::number(ledger));
        let after = self.end_of(ledger);
        let question = Question { client: Some(client), number, wish, ledger, after };
        let owed = match wish {
            Wish::Retain => {
                let described = Session::rest("ann", session.as_str(), "127.0.0.1");
                let mut retain = Retain::new(*product, session.clone(), described);
                retain.lease_seconds = LeaseSeconds::new(self.scenario.lease_seconds).ok();
                Owed::new(question, pool.grant(retain, None), |it| {
                    Answer::Granted(it.map(Box::new))
                })
            }
            Wish::Renew => {
                Owed::new(question, pool.renew_async(session.as_str(), None), Answer::Renewed)
            }
            Wish::Release { token } => {
                let token = Token::new(token).expect("a token of the engine's");
                let session = Arc::new(session.clone());
                let target =
                    Target::Session { session, product: Some(*product), token: Some(token) };
                let pending = pool.release_with(Release::new(target));
                Owed::new(question, pending, Answer::Released)
            }
        };
        self.owe(server, owed);
    }

    /// Somebody reads the usage; nobody waits for what it says.
    pub(super) fn ask(&mut self, server: usize) {
        if let Some((pool, _)) = &self.servers[server].running {
            let ledger = self.rng.usize(0..self.scenario.ledgers);
            let pending = pool.license(scenario::number(ledger)).held_async(None);
            let after = self.end_of(ledger);
            let question = Question { client: None, number: 0, wish: Wish::Renew, ledger, after };
            self.owe(server, Owed::new(question, pending, Answer::Held));
        }
        let (server, delay) = (self.rng.usize(0..self.servers.len()), self.rng.u64(500..5_000));
        self.plan(delay, Event::Ask { server });
    }

    pub(super) fn owe(&mut self, server: usize, owed: Owed) {
        let delay = self.rng.u64(0..3);
        self.servers[server].owed.push(owed);
        self.plan_step(server, delay);
    }

    pub(super) fn hear(&mut self, place: usize, number: u64, reply: &Reply) {
        let now = self.time.now();
        let wanted = self.rng.u64(1_000..60_000);
        let client = &mut self.clients[place];
        let Doing::Asking(request) = &client.doing else { return };
        if number != client.sent {
            return; // An answer that comes late is an answer to nothing.
        }
        let request = request.clone();
        self.tell(|| format!("client-{place} hears {reply:?}"));
        let client = &mut self.clients[place];
        let next = match reply {
            Reply::Held { token, lease_seconds } => {
                let lease = lease_seconds * 1_000;
                let wanted = request.holding.map_or(now + wanted, |holding| holding.wanted);
                let (until, renews) = (request.sent + lease, now + lease / 3);
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
