//! What goes wrong, from outside the servers: clocks, crashes, pauses, and a store that goes away or back.

use fastrand::Rng;

use super::client::{Doing, Kind};
use super::process::Part;
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
                let connections = self.scenario.connections;
                let only = self.rng.bool().then(|| self.rng.u8(0..connections));
                self.trouble(server, |trouble| {
                    (trouble.away, trouble.away_for) = (true, only.filter(|_| connections > 1));
                });
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

    /// From now on nothing goes wrong any more, but that one of several servers may be gone for good.
    pub(super) fn calm_down(&mut self) {
        self.calm = true;
        self.calm_since = Some(self.time.now());
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
            let part = self.servers[server].part;
            if server == gone && (part == Part::Library || self.scenario.servers > 1) {
                self.kill(server);
                self.servers[server].is_gone = part != Part::Console;
                continue;
            }
            if part != Part::Console {
                self.plan(0, Event::Start { server });
            }
            self.plan_step(server, 0);
        }
        for place in 0..self.clients.len() {
            let client = &mut self.clients[place];
            match (client.kind, &client.doing) {
                (Kind::Lease, _) if self.servers[client.server].is_gone => {
                    client.server = (client.server + 1) % self.scenario.servers;
                }
                // Nobody but itself ends what it holds.
                (Kind::Seat | Kind::Command, Doing::Holding(_)) => {
                    let delay = self.rng.u64(0..2_000);
                    self.plan_act(place, delay);
                }
                (Kind::Lease | Kind::Seat | Kind::Command, _) => {}
            }
        }
    }
}
