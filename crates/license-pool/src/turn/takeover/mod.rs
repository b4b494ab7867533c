//! The turns that end retentions or hand them over without anybody asking: for leases that ran out,
//! and for what dead servers served.
//!
//! *Adoption* takes over, with one entry per ledger, every session that another server serves there.
//! That ends the other's epoch in the same transaction (`Turn::ends`), so it finds itself fenced. What
//! a process vouched for without a lease cannot be adopted, since the process is gone: it is released
//! first. What a one-shot command retained without a lease has no process behind it, and is adopted.
//! Who retained a token only the log tells: see `seats`.
//!
//! The store keeps a *list* of which servers serve sessions in which ledgers (`Append::serving`), so
//! that nobody has to read all ledgers to find what a dead server leaves. The list may name too much,
//! never too little.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use license_core::{Command, Fault, Held, Release, Target};
use license_types::{ReleaseCause, ServerName, SessionId, Token};

use super::step::{Gathering, Step};
use super::{Moment, Plan, Turns};
use crate::Error;
use crate::leases::Key;
use crate::log::{LedgerId, ServerRow, Turn, Which};

mod seats;

/// How many retentions of a ledger are released in one turn, while callers wait.
const RELEASES_MAX: usize = 1000;

/// How many ledgers are part of one turn.
const LEDGERS_MAX: usize = 256;

/// What another server served, to be adopted or released.
pub(crate) struct Estate {
    pub(crate) from: Arc<ServerName>,
    pub(crate) epoch: u64,
    /// Its row when it was found dead; none for one-shot commands, which have no epoch to end.
    pub(crate) row: Option<ServerRow>,
    /// Whether sessions that hold by a lease are adopted; otherwise everything is released.
    pub(crate) adopts: bool,
}

impl Turns {
    /// Releases those retentions of these sessions that `ends` selects, as far as this server still
    /// serves them.
    pub(crate) fn end(
        &mut self,
        sessions: &[Key],
        cause: ReleaseCause,
        ends: impl Fn(LedgerId, &Held) -> bool,
    ) -> Result<(), Error> {
        let ledgers: Vec<LedgerId> = sessions.iter().map(|(id, _)| *id).collect();
        // A ledger whose last turn failed may not be in memory.
        self.load(&ledgers)?;
        let own = self.actor.server.clone();
        self.turn_of(&ledgers, |moment, gathering| {
            for (id, session) in sessions {
                // This turn has just shown that what was counted is no longer true.
                if moment.ledgers.is_anew(*id) {
                    continue;
                }
                let Some(ledger) = moment.ledgers.sound_mut(*id) else { continue };
                let ended = |held: &Held| held.server == own && ends(*id, held);
                let tokens: Vec<Token> =
                    ledger.held(session).filter(ended).map(|held| held.record.token).collect();
                let (gathered, _) = gathering.of(*id, ledger);
                let mut step = Step { ledger, stamp: moment.stamp, clock: moment.clock, gathered };
                for token in tokens {
                    release(&mut step, *id, token, cause)?;
                }
            }
            Ok((Vec::new(), ()))
        })
    }

    /// Settles an estate in these ledgers; gives those in which this server has adopted sessions. A
    /// ledger with too many retentions to release in one turn is not among them yet: call again.
    pub(crate) fn settle(
        &mut self,
        estate: &Estate,
        ledgers: &[LedgerId],
    ) -> Result<Vec<LedgerId>, Error> {
        self.load(ledgers)?;
        let adopts_all = estate.adopts && estate.row.is_none();
        let seats = match estate.adopts && !adopts_all {
            true => self.seats(&estate.from, ledgers)?,
            false => Seats::new(),
        };
        self.turn_of(ledgers, |moment, gathering| {
            let mut adopted = Vec::new();
            for id in ledgers {
                let Some(ledger) = moment.ledgers.sound_mut(*id) else { continue };
                let mut all = true;
                let ends = |held: &Held| match seats.get(&(*id, held.record.token)) {
                    _ if held.server != estate.from || adopts_all => false,
                    _ if !estate.adopts => true,
                    _ if held.record.lease_seconds.is_some() => false,
                    Some(of_process) => *of_process,
                    // It was retained after `seats` was read: left to the next turn.
                    None => {
                        all = false;
                        false
                    }
                };
                let mut tokens: Vec<Token> =
                    ledger.live().filter(ends).map(|held| held.record.token).collect();
                all &= tokens.len() <= RELEASES_MAX;
                tokens.truncate(RELEASES_MAX);
                let (gathered, _) = gathering.of(*id, ledger);
                gathered.leaves(estate.from.clone());
                let mut step = Step { ledger, stamp: moment.stamp, clock: moment.clock, gathered };
                for token in tokens {
                    release(&mut step, *id, token, ReleaseCause::ServerLost)?;
                }
                if all && step.ledger.servers().any(|server| *server == estate.from) {
                    step.adopt(&estate.from, estate.epoch)?;
                    adopted.push(*id);
                }
            }
            Ok((estate.row.iter().cloned().collect(), adopted))
        })
    }

    /// What a server serves without a lease, as far as is known now, and whether a process vouched
    /// for each.
    fn seats(&mut self, of: &ServerName, ledgers: &[LedgerId]) -> Result<Seats, Error> {
        let licenses: Vec<Which> = ledgers.iter().filter_map(|id| self.license(*id)).collect();
        self.catch_up(&licenses)?;
        let mut seats = Seats::new();
        for id in ledgers {
            let Some(ledger) = self.ledgers.sound(*id) else { continue };
            let is_seat = |held: &Held| *held.server == *of && held.record.lease_seconds.is_none();
            let tokens: BTreeSet<Token> =
                ledger.live().filter(is_seat).map(|held| held.record.token).collect();
            let of_commands = seats::of_commands(&mut *self.log, *id, tokens.clone());
            let of_commands = of_commands.map_err(Error::store)?;
            let of_process = |token| ((*id, token), !of_commands.contains(&token));
            seats.extend(tokens.into_iter().map(of_process));
        }
        Ok(seats)
    }

    /// Takes this server off the list of ledgers in which it no longer serves any session. That is not
    /// done at once, since mostly a session comes soon after the last one went.
    pub(crate) fn take_off(&mut self) -> Result<(), Error> {
        loop {
            let ledgers = self.ledgers.listed_in_vain(LEDGERS_MAX);
            if ledgers.is_empty() {
                return Ok(());
            }
            self.take_off_these(&ledgers)?;
        }
    }

    /// The same for these ledgers, whether or not they are known to be listed.
    pub(crate) fn take_off_these(&mut self, ledgers: &[LedgerId]) -> Result<(), Error> {
        // Before the turn, since its outcome may stay unknown.
        ledgers.iter().for_each(|id| self.ledgers.unlist(*id));
        let own = self.actor.server.clone();
        self.turn_of(ledgers, |moment, gathering| {
            for id in ledgers {
                let Some(ledger) = moment.ledgers.sound_mut(*id) else { continue };
                gathering.of(*id, ledger).0.leaves(own.clone());
            }
            Ok((Vec::new(), ()))
        })
    }

    /// What this server serves in a ledger, by session, and the silences that were told there.
    pub(crate) fn served(&mut self, id: LedgerId) -> Result<(Served, Silences), Error> {
        self.load(&[id])?;
        let silences = self.log.silences(id).map_err(Error::store)?;
        let silences = silences.into_iter().map(|it| (it.token, it.silent)).collect();
        let mut served = Served::new();
        if let Some(ledger) = self.ledgers.sound(id) {
            for held in ledger.live().filter(|held| held.server == self.actor.server) {
                served.entry(held.record.session.clone()).or_default().push(held);
            }
        }
        Ok((served, silences))
    }

    /// Takes a turn of ledgers that are in memory, by a number that leads to each.
    fn turn_of<T>(
        &mut self,
        ledgers: &[LedgerId],
        mut plan: impl FnMut(&mut Moment<'_>, &mut Gathering) -> Result<(Vec<ServerRow>, T), Fault>,
    ) -> Result<T, Error> {
        let mut licenses: Vec<Which> = ledgers.iter().filter_map(|id| self.license(*id)).collect();
        licenses.sort_unstable();
        licenses.dedup();
        let mut lost = Vec::new();
        let turned = self.turn(&licenses, |mut moment| -> Plan<T> {
            // In a store that went back in time a number may lead elsewhere. Then memory was not
            // brought up to date, and must not be used.
            lost.clear();
            lost.extend(ledgers.iter().copied().filter(|id| !moment.leads_to(*id)));
            lost.iter().for_each(|id| moment.ledgers.forget(*id));
            let mut gathering = Gathering::default();
            let (ends, value) = plan(&mut moment, &mut gathering)?;
            let appends = gathering.into_appends(moment.ledgers);
            Ok((Turn { appends, ends }, value))
        });
        self.read_again(lost);
        turned
    }
}

/// Retentions without a lease, and whether a process vouched for each.
type Seats = BTreeMap<(LedgerId, Token), bool>;

/// What each session holds.
pub(crate) type Served = BTreeMap<Arc<SessionId>, Vec<Held>>;

/// How long sessions were silent, by the token that each retained last then.
pub(crate) type Silences = BTreeMap<Token, Duration>;

fn release(
    step: &mut Step<'_>,
    id: LedgerId,
    token: Token,
    cause: ReleaseCause,
) -> Result<(), Fault> {
    let release = Release { target: Target::Token(token), cause, note: None };
    // A token that is held can always be released; were it refused, it would only stay held.
    step.write(id, &Command::Release(release), None).map(drop)
}
