//! Judges what is written: every entry, what ends, and what is left in the end.

use jiff::SignedDuration;
use license_core::{Entry, Event as Logged};
use license_pool::log::Log;
use license_types::{ReleaseCause, ServerName};

use super::client::Kind;
use super::scenario::Clocks;
use super::truth::{Ending, News};
use super::world::{Beat, World, ledger_id};

/// Single commands are no server, and never dead.
const LOCAL: &str = "local";

impl World {
    pub(super) fn judge_log(&mut self) -> Result<(), String> {
        let World { scenario, servers, truth, store, tally, told, time, clients, .. } = self;
        let honest = servers[0].clock.true_instant();
        // How far an entry's time may be from the true time.
        let tolerance = match scenario.clocks {
            Clocks::True => SignedDuration::from_secs(1),
            Clocks::Wander => SignedDuration::from_mins(90),
            Clocks::FarFuture | Clocks::Back => SignedDuration::from_mins(1),
            Clocks::Jump => SignedDuration::MAX,
        };
        let (told, now) = (*told, time.now());
        let news = truth.read(store, now, |entry: &Entry| {
            if told {
                let Entry { sequence, time, stamp, event, .. } = entry;
                eprintln!("{now:>7} {} writes {sequence} at {time}: {event:?}", stamp.server);
            }
            tally.entries += 1;
            tally.grants += u64::from(matches!(entry.event, Logged::Retained(_)));
            tally.adoptions += u64::from(matches!(entry.event, Logged::Adopted { .. }));
            if let Logged::Retained(retained) = &entry.event
                && let Some(client) = clients.iter().find(|it| it.session == *retained.session)
                && client.principal.as_ref() != entry.stamp.principal.as_deref()
            {
                let principal = &entry.stamp.principal;
                return Err(format!("{} asked, and it names {principal:?}", retained.session));
            }
            let off = honest.duration_since(entry.time).abs();
            if off > tolerance {
                return Err(format!("it bears {}, at {honest}", entry.time));
            }
            Ok(())
        })?;
        let News { grants, endings, dead } = news;
        for ending in endings {
            self.judge_ending(&ending)?;
        }
        for (server, by) in dead.iter().filter(|(server, _)| server.as_str() != LOCAL) {
            if !self.may_be_dead(server, Some(by)) {
                return Err(format!("{server} was declared dead, and has shown that it lives"));
            }
        }
        self.granted.extend(grants);
        self.note_beats();
        self.judge_past()
    }

    /// While a client relies on what it holds, nobody but itself ends it.
    fn judge_ending(&self, ending: &Ending) -> Result<(), String> {
        let now = self.time.now();
        for client in &self.clients {
            if ledger_id(client.ledger) != ending.ledger {
                continue;
            }
            if let Some(holding) = client.relies_on(now)
                && holding.token == ending.token
            {
                let vouched = match client.kind {
                    Kind::Lease => false,
                    Kind::Seat => true,
                    // Once its entry is deleted nobody can tell what retained it.
                    Kind::Command => self.is_forgotten(ending),
                };
                let lost = vouched
                    && ending.cause == ReleaseCause::ServerLost
                    && ending.server.as_ref().is_some_and(|server| self.may_be_dead(server, None));
                if !lost && !self.was_ordered(ending) {
                    return Err(format!(
                        "token {} was released ({}) while {} may rely on it until {} ms",
                        ending.token, ending.cause, client.session, holding.until
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether the entry that retained it is deleted.
    fn is_forgotten(&self, ending: &Ending) -> bool {
        let entries = self.store.clone().page(ending.ledger, 0, usize::MAX).unwrap_or_default();
        let retained = |entry: &Entry| match &entry.event {
            Logged::Retained(retained) => retained.token.get() == ending.token,
            _ => false,
        };
        !entries.iter().any(retained)
    }

    /// Whether a server did not show that it lives for its lease and grace, or has gone before, as far
    /// as another can know.
    fn may_be_dead(&self, server: &ServerName, by: Option<&ServerName>) -> bool {
        let unaware = by.is_none_or(|by| self.unaware.contains(by));
        let silent = |beat: &Beat| {
            let since = if unaware { beat.since_before } else { beat.since };
            self.time.now().saturating_sub(since) >= beat.borne
        };
        // Whose epoch was ended once is dead for good, until its name is taken anew.
        self.beats.get(server).is_none_or(|beat| beat.shown.2.is_empty() || silent(beat))
    }

    /// Notes what every server shows of itself.
    pub(super) fn note_beats(&mut self) {
        let now = self.time.now();
        let rows = self.store.beat(&[]).unwrap_or_default();
        for row in &rows {
            let shown = (row.epoch, row.beat, row.instance.clone());
            let beat = self.beats.entry(row.name.clone());
            if !row.is_ended() {
                self.shown.insert(row.name.clone(), shown.clone());
            }
            let borne = 1_000 * (row.lease_seconds + row.grace_seconds);
            let begins = || Beat { shown: shown.clone(), borne, since: now, since_before: now };
            let beat = beat.or_insert_with(begins);
            if beat.shown != shown {
                *beat = begins();
            }
        }
        self.beats.retain(|name, _| rows.iter().any(|row| row.name == *name));
    }

    pub(super) fn last_judgement(&mut self) -> Result<(), String> {
        for ledger in self.store.ledgers().map_err(|error| error.to_string())? {
            let id = ledger.ledger;
            if let Some(token) = self.truth.ledger(id).and_then(|it| it.held().first().copied()) {
                return Err(format!("token {token} is still held, and nobody is there"));
            }
        }
        self.judge_what_is_left()?;
        self.judge_alarms()
    }

    /// Nobody says that the store went back in time where it did not.
    fn judge_alarms(&self) -> Result<(), String> {
        let running = self.servers.iter().filter_map(|server| server.running.as_ref());
        match running.map(|pool| pool.alarms().went_back).sum() {
            0 => Ok(()),
            _ if self.tally.restored > 0 => Ok(()),
            alarms => Err(format!("the store went back in time, it is said: {alarms}")),
        }
    }
}
