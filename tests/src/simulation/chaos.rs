//! What goes wrong, from outside the servers: clocks, crashes, pauses, and a store that goes away or back.

use fastrand::Rng;
use license_types::SessionId;

use super::client::Doing;
use super::scenario::Clocks;
use super::world::{Event, World};

impl World {
    pub(super) fn chaos(&mut self) {
        if self.calm {
            return;
        }
        self.plan(10_000, Event::Chaos);
        let server = self.rng.usize(0..self.servers.len());
        self.tamper_with_clock(server);
        if !self.happens(self.scenario.chaos) {
            return;
        }
        let now = self.time.now();
        match self.rng.u8(0..4) {
            0 => self.kill(server),
            1 => {
                let pause = self.rng.u64(100..150_000);
                self.tell(|| format!("server-{server} freezes for {pause} ms"));
                self.servers[server].frozen_until = now + pause;
            }
            2 => {
                self.trouble(server, |trouble| trouble.away = true);
                let delay = self.rng.u64(100..60_000);
                self.tell(|| format!("server-{server} loses the store for {delay} ms"));
                self.plan(delay, Event::StoreBack { server });
            }
            _ if self.scenario.restores => self.restore(),
            _ => {}
        }
    }

    fn tamper_with_clock(&mut self, server: usize) {
        let now = self.time.now();
        let clock = self.servers[server].clock.clone();
        let minutes = |rng: &mut Rng, most: i64| rng.i64(-most..=most) * 60_000;
        match self.scenario.clocks {
            Clocks::True => {}
            Clocks::Wander => clock.set_ahead(minutes(&mut self.rng, 30)),
            Clocks::Jump => clock.set_ahead(minutes(&mut self.rng, 24 * 60)),
            Clocks::FarFuture => {
                if now % 90_000 < 10_000 {
                    clock.set_ahead(73 * 365 * 24 * 3_600_000);
                    self.plan(60_000, Event::ClockRight { server });
                }
            }
            Clocks::Back => {
                if now > 10_000 {
                    clock.set_ahead(-365 * 24 * 3_600_000);
                }
            }
        }
    }

    /// The store goes back to what it was at the last backup, or a backup is made.
    fn restore(&mut self) {
        let Some(backup) = self.backup.take() else {
            self.backup = Some(self.store.backup());
            return;
        };
        self.store.restore(&backup);
        self.tally.restored += 1;
        self.tell(|| "the store goes back".to_owned());
        self.truth.forget();
        let _ = self.truth.read(&mut self.store, |_| Ok(()));
        // Nobody can rely on what the store forgot, nor judge what was said of it.
        for (place, client) in self.clients.iter_mut().enumerate() {
            client.sent += 1;
            // What it asked before must not be taken for what it asks now.
            let session = format!("client-{place}.{}", self.tally.restored);
            client.session = SessionId::new(session).expect("a session id");
            if client.doing != Doing::Gone {
                client.doing = Doing::Idle;
            }
        }
        for place in 0..self.clients.len() {
            self.plan_act(place, 1_000);
        }
        for server in &mut self.servers {
            server.owed.clear();
        }
    }

    /// From now on nothing goes wrong any more, but that one of several servers may be gone for good.
    pub(super) fn calm_down(&mut self) {
        self.calm = true;
        let gone = self.rng.usize(0..3 * self.servers.len());
        for server in 0..self.servers.len() {
            let mut unknown = 0;
            self.trouble(server, |trouble| {
                (trouble.fails, trouble.unanswered, trouble.crashes) = (0, 0, 0);
                trouble.away = false;
                unknown = trouble.unknown;
            });
            self.tally.unknown += unknown;
            self.servers[server].clock.set_ahead(0);
            self.servers[server].frozen_until = 0;
            if server == gone && self.servers.len() > 1 {
                self.kill(server);
                self.servers[server].is_gone = true;
                continue;
            }
            self.plan(0, Event::Start { server });
            self.plan_step(server, 0);
        }
        for client in &mut self.clients {
            if self.servers[client.server].is_gone {
                client.server = (client.server + 1) % self.servers.len();
            }
        }
    }
}
