//! Hears sessions. A renewal only reads, unless it changes something: the session's state, or the
//! server that serves the session, since a client that renews through another server moves there.
//! Those changes take a turn, in which all sessions that move share one entry.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use license_core::{Command, Event, Events, Fault, Held, Ledger, Refusal, Renew, Stamp, decide};
use license_types::{SessionId, SessionState};

use super::step::{Gathering, Step};
use super::{Moment, Turns, distinct, place};
use crate::Error;
use crate::log::{Found, LedgerId, Turn};
use crate::request::Renewal;

/// How many sessions one entry names at most.
const MOVED_MAX: usize = 1000;

/// What became of one session that was to be renewed.
pub(crate) struct Heard {
    pub(crate) ledger: LedgerId,
    /// What it holds.
    pub(crate) held: Vec<Held>,
    /// When, by the clock of the store.
    pub(crate) time: Timestamp,
    /// Whether it came from another server.
    pub(crate) came: bool,
}

/// A session whose renewal changes something: the place of its list, and its place in that.
type Change = (usize, usize);

impl Turns {
    /// Renews every session of every list; one outcome each.
    pub(crate) fn renew(&mut self, lists: &[Renewal]) -> Vec<Vec<Result<Heard, Error>>> {
        let licenses = distinct(lists.iter().map(|list| &list.license));
        let caught_up = self.not_mute().and_then(|()| self.catch_up(&licenses));
        let (found, clock) = match caught_up {
            Ok(caught_up) => caught_up,
            Err(error) => return lists.iter().map(|list| refused(list, &error)).collect(),
        };
        let mut changes: Vec<Change> = Vec::new();
        let mut outcomes: Vec<Vec<Result<Heard, Error>>> = Vec::with_capacity(lists.len());
        for (at, list) in lists.iter().enumerate() {
            let found = &found[place(&licenses, &list.license)];
            let change = |index| changes.push((at, index));
            outcomes.push(self.renew_list(list, found, clock.now, change));
        }
        if changes.is_empty() {
            return outcomes;
        }
        let changed = match self.change(lists, &changes) {
            Ok(changed) => changed,
            // The sessions that change nothing were heard all the same.
            Err(error) => changes.iter().map(|_| Err(error.clone())).collect(),
        };
        for ((list, session), outcome) in changes.into_iter().zip(changed) {
            outcomes[list][session] = outcome;
        }
        outcomes
    }

    /// Hears the sessions of one list; `change` is told the places of those whose renewal changes
    /// something.
    fn renew_list(
        &mut self,
        list: &Renewal,
        found: &Found,
        now: Timestamp,
        mut change: impl FnMut(usize),
    ) -> Vec<Result<Heard, Error>> {
        if let Some(error) = self.sealed().filter(|_| list.renews) {
            return refused(list, &error);
        }
        let stamp = Stamp { principal: list.principal.clone(), ..self.stamp_of_reader() };
        let share = self.actor.share;
        let ledger = self.ledgers.get(&list.license, found);
        let (id, ledger) = match ledger.and_then(|it| share.check(it.0).map(|()| it)) {
            Ok(found) => found,
            Err(error) => return refused(list, &error),
        };
        let mut renew = |index, session, state| {
            let events = events(ledger, session, state, &stamp, now)?;
            if list.renews && !events.is_empty() {
                change(index);
            }
            Ok(heard(id, ledger, session, now))
        };
        let sessions = list.sessions.iter().enumerate();
        sessions.map(|(index, (session, state))| renew(index, session, *state)).collect()
    }

    /// Takes a turn for the sessions that change something.
    fn change(
        &mut self,
        lists: &[Renewal],
        changes: &[Change],
    ) -> Result<Vec<Result<Heard, Error>>, Error> {
        let licenses = distinct(changes.iter().map(|(list, _)| &lists[*list].license));
        self.turn(&licenses, |Moment { ledgers, found, stamp, clock, .. }| {
            let mut gathering = Gathering::default();
            let mut moving: BTreeMap<_, Moving> = BTreeMap::new();
            for (list, index) in changes {
                let Renewal { license, principal, sessions, .. } = &lists[*list];
                let Ok((id, ledger)) = ledgers.get(license, &found[place(&licenses, license)])
                else {
                    continue;
                };
                let stamp = Stamp { principal: principal.clone(), ..stamp.clone() };
                let events = events(ledger, &sessions[*index].0, None, &stamp, clock.now);
                let moves = |event: Event| match event {
                    Event::Moved { sessions } => sessions,
                    _ => Vec::new(),
                };
                let moved = events.unwrap_or_default().into_iter().flat_map(moves);
                moving.entry((id, principal.clone())).or_default().extend(moved);
            }
            for ((id, principal), mut sessions) in moving {
                let Some(ledger) = ledgers.sound_mut(id) else { continue };
                sessions.sort_unstable();
                sessions.dedup();
                let (gathered, _) = gathering.of(id, ledger);
                let stamp = Stamp { principal, ..stamp.clone() };
                let mut step = Step { ledger, stamp: &stamp, clock, gathered };
                for sessions in sessions.chunks(MOVED_MAX) {
                    step.append(Event::Moved { sessions: sessions.to_vec() })?;
                }
            }
            let mut outcomes = Vec::with_capacity(changes.len());
            for (list, index) in changes {
                let Renewal { license, principal, sessions, .. } = &lists[*list];
                let (session, state) = &sessions[*index];
                outcomes.push(match ledgers.get(license, &found[place(&licenses, license)]) {
                    Err(error) => Err(error),
                    Ok((id, ledger)) => {
                        let (gathered, _) = gathering.of(id, ledger);
                        let stamp = Stamp { principal: principal.clone(), ..stamp.clone() };
                        let step = Step { ledger, stamp: &stamp, clock, gathered };
                        change_state(step, id, session, *state)?
                    }
                });
            }
            Ok((Turn { appends: gathering.into_appends(ledgers), ..Turn::default() }, outcomes))
        })
    }
}

/// The sessions that move in the name of one principal.
type Moving = Vec<Arc<SessionId>>;

/// Appends what else changes, once the sessions have moved: a new state.
fn change_state(
    mut step: Step<'_>,
    id: LedgerId,
    session: &Arc<SessionId>,
    state: Option<SessionState>,
) -> Result<Result<Heard, Error>, Fault> {
    match events(step.ledger, session, state, step.stamp, step.clock.now) {
        Err(error) => Ok(Err(error)),
        Ok(events) => {
            events.into_iter().try_for_each(|event| step.append(event))?;
            Ok(Ok(Heard { came: true, ..heard(id, step.ledger, session, step.clock.now) }))
        }
    }
}

/// What a renewal changes.
fn events(
    ledger: &Ledger,
    session: &Arc<SessionId>,
    state: Option<SessionState>,
    stamp: &Stamp,
    now: Timestamp,
) -> Result<Events, Error> {
    let renew = Command::Renew(Renew { session: session.clone(), state });
    let verdict = decide(ledger, &renew, stamp, now);
    verdict.map(|verdict| verdict.events).map_err(|refusal: Refusal| Error::Refused(refusal))
}

fn heard(id: LedgerId, ledger: &Ledger, session: &SessionId, now: Timestamp) -> Heard {
    let held = ledger.held(session).collect();
    Heard { ledger: id, held, time: ledger.instant(now), came: false }
}

/// The same error for every session of a list.
fn refused(list: &Renewal, error: &Error) -> Vec<Result<Heard, Error>> {
    list.sessions.iter().map(|_| Err(error.clone())).collect()
}
