//! The line of those who wait for a license: first come, first served, for each product on this
//! server.
//!
//! A session has one place in line, however many requests it makes. A request waits for as long as
//! it asked to, then it is answered with a refusal. Its place is kept for 15 seconds more: a session
//! that asks again in that time goes on waiting where it stood. So a client can wait for an hour by
//! short requests, without losing its turn. The history is to show that as one wait, so the refusal
//! is not recorded when it is answered, but once the place is lost; until then it is *owed*. It is
//! not recorded at all if the session gets the license.
//!
//! Nothing here looks at a ledger. The writer tries the [`waiters`](Queue::waiters) in a turn, before
//! any later request for the same product, and tells the queue who was [answered](Queue::answered).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use license_core::{Command, Ledger, Retain, Whom};
use license_types::{ProductId, RefusalCode, SessionId};

use crate::Error;
use crate::log::Which;
use crate::request::{Done, Write};
use crate::turn::attempt::{Attempt, Outcome, Stage};
use crate::turn::refusals::Owed;

/// How many sessions may wait for one product at once.
const WAITING_MAX: usize = 1000;

/// How many of those may belong to one principal.
const OF_PRINCIPAL_MAX: usize = 500;

/// How many places are kept, so that made-up sessions cannot fill the memory.
const PLACES_MAX: usize = 10_000;

/// How long a session keeps its place between two requests.
const PLACE_KEPT: Duration = Duration::from_secs(15);

/// Those who wait, in the order in which they are served.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Vec<Waiter>,
    /// The places of those who may ask again.
    places: BTreeMap<Seeker, Place>,
    /// When places are lost, in that order. Some of these places no longer exist.
    lapses: VecDeque<(Duration, Seeker)>,
    /// What is to be recorded at once, since the places could not be kept.
    lapsed: Vec<Owed>,
    last_place: u64,
}

/// The place of a session that may ask again.
struct Place {
    number: u64,
    /// When its wait began.
    since: Duration,
    /// When it is lost.
    until: Duration,
    /// What is to be recorded then.
    owed: Option<Owed>,
}

/// What one session waits for.
type Seeker = (Which, Arc<SessionId>, ProductId);

/// Who waits.
pub(crate) struct Waiter {
    pub(crate) write: Write,
    place: u64,
    /// When its session began to wait.
    since: Duration,
    until: Duration,
    /// Whether it was never tried so far.
    fresh: bool,
    /// Whether it was tried in a turn whose outcome is unknown.
    in_doubt: bool,
    /// What is to be recorded of its session if this request is not answered with a refusal.
    owed: Option<Owed>,
}

impl Queue {
    /// Adds a request that is to wait for `patience`, or answers it with
    /// [`QueueFull`](Error::QueueFull).
    pub(crate) fn join(&mut self, write: Write, patience: Duration, now: Duration) {
        let Some(seeker) = seeker(&write) else { return write.reply.fail(Error::Internal(None)) };
        let beside = self.waiting.iter().find(|waiter| is(&waiter.write, &seeker));
        let beside = beside.map(|waiter| (waiter.place, waiter.since, None));
        let mut kept = || self.places.remove(&seeker).map(|it| (it.number, it.since, it.owed));
        // A session that waits already, or goes on waiting, adds nobody to the line.
        let (place, since, owed) = match beside.or_else(&mut kept) {
            Some(place) => place,
            None => {
                if let Some(waiting) = self.full_for(&write) {
                    return write.reply.fail(Error::QueueFull { waiting });
                }
                self.last_place += 1;
                (self.last_place, now, None)
            }
        };
        let until = now.saturating_add(patience);
        let at = self.waiting.partition_point(|waiter| waiter.place <= place);
        self.waiting
            .insert(at, Waiter { write, place, since, until, fresh: true, in_doubt: false, owed });
    }

    /// How many sessions wait for the same, if they are too many for another one: all of them, or
    /// those of the same principal.
    fn full_for(&self, write: &Write) -> Option<usize> {
        let product = product(write);
        let (mut all, mut own, mut last) = (0, 0, None);
        for Waiter { write: waiting, place, .. } in &self.waiting {
            let is_alike = waiting.license == write.license && self::product(waiting) == product;
            // The requests of one session stand one behind the other.
            if is_alike && last.replace(place) != Some(place) {
                all += 1;
                own += usize::from(waiting.principal == write.principal);
            }
        }
        let is_anybody = write.principal.is_none();
        match all {
            WAITING_MAX.. => Some(all),
            _ => (own >= OF_PRINCIPAL_MAX && !is_anybody).then_some(own),
        }
    }

    /// Keeps the place of a session that may ask again.
    fn keep(&mut self, seeker: Seeker, place: Place) {
        if self.places.len() < PLACES_MAX {
            self.lapses.push_back((place.until, seeker.clone()));
            self.places.insert(seeker, place);
        } else {
            self.lapsed.extend(place.owed);
        }
    }

    /// Removes the places that were kept for long enough; gives the refusals to record for them.
    pub(crate) fn lapsed(&mut self, now: Duration) -> Vec<Owed> {
        while let Some((until, seeker)) = self.lapses.pop_front_if(|(until, _)| *until <= now) {
            // A session that asked again in time has another place by now, or waits.
            if self.places.get(&seeker).is_some_and(|place| place.until == until) {
                self.lapsed.extend(self.places.remove(&seeker).and_then(|place| place.owed));
            }
        }
        std::mem::take(&mut self.lapsed)
    }

    /// Removes all places because this server ends; gives the refusals to record for them, without
    /// how long each waited. A session may wait on at another server, or here when the server is
    /// back: only then does it show how long it waited, and whether in vain.
    pub(crate) fn end(&mut self) -> Vec<Owed> {
        let mut owed = self.lapsed(Duration::MAX);
        for Owed { refused, .. } in &mut owed {
            if let Whom::Session { waited_seconds, .. } = &mut refused.whom {
                *waited_seconds = None;
            }
        }
        owed
    }

    /// Forgets the refusal that is owed for a session, which was granted the license after all.
    pub(crate) fn granted(&mut self, write: &Write) {
        if !self.places.is_empty()
            && let Some(place) = seeker(write).and_then(|seeker| self.places.get_mut(&seeker))
        {
            place.owed = None;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether any request must be tried even if nothing changed: it is new, its wait has ended, or its
    /// caller has gone.
    pub(crate) fn presses(&self, now: Duration) -> bool {
        self.waiting.iter().any(|waiter| waiter.attempt(now).stage != Stage::Open)
    }

    /// When the next wait ends, or the next place is lost.
    pub(crate) fn due(&self) -> Option<Duration> {
        let lapse = self.lapses.front().map(|(until, _)| *until);
        self.waiting.iter().map(|waiter| waiter.until).chain(lapse).min()
    }

    /// Notes that all of them were tried in a turn whose outcome is unknown.
    pub(crate) fn doubt(&mut self) {
        self.waiting.iter_mut().for_each(|waiter| waiter.in_doubt = true);
    }

    /// All of them, in their order.
    pub(crate) fn waiters(&self) -> &[Waiter] {
        &self.waiting
    }

    /// Takes out the requests that have an outcome; `outcomes` are in the order of
    /// [`waiters`](Self::waiters), and `None` goes on waiting.
    pub(crate) fn answered(
        &mut self,
        outcomes: Vec<Option<Outcome>>,
        now: Duration,
    ) -> Vec<(Write, Result<Done, Error>)> {
        let mut answered = Vec::new();
        let mut refused = Vec::new();
        let waiting = std::mem::take(&mut self.waiting);
        for (mut waiter, outcome) in waiting.into_iter().zip(outcomes) {
            let Some(Outcome { answer, owed }) = outcome else {
                waiter.fresh = false;
                self.waiting.push(waiter);
                continue;
            };
            let Waiter { write, place: number, since, owed: before, in_doubt, .. } = waiter;
            let answer = answer.map_err(|error| if in_doubt { error.in_doubt() } else { error });
            if let (Some(seeker), Err(error)) = (seeker(&write), &answer) {
                // Where the store failed, this attempt says nothing, and what was owed stays owed.
                let owed = if let Error::Refused(_) = error { owed } else { owed.or(before) };
                refused.push((seeker, Place { number, since, until: now + PLACE_KEPT, owed }));
            }
            answered.push((write, answer));
        }
        for (seeker, place) in refused {
            // If another request of the session waits on, that one keeps the place.
            match self.waiting.iter_mut().find(|waiter| waiter.place == place.number) {
                Some(waiter) => waiter.owed = place.owed,
                None => self.keep(seeker, place),
            }
        }
        answered
    }
}

impl Waiter {
    /// Whether trying it now could end its wait, as far as the ledger shows.
    pub(crate) fn hopes(&self, ledger: &Ledger, now: Timestamp) -> bool {
        let Command::Retain(Retain { session, product, .. }) = &self.write.command else {
            return false;
        };
        // If the product is gone or expired, waiting is pointless: it is refused when it is tried.
        let code = ledger.availability(*product, now).code;
        code != Some(RefusalCode::NoLicenseLeft)
            || ledger.held(session).any(|held| held.record.product == *product)
    }

    /// How it is to be tried.
    pub(crate) fn attempt(&self, now: Duration) -> Attempt {
        let stage = if self.write.reply.is_gone() {
            Stage::Gone
        } else if self.until <= now {
            Stage::Last
        } else if self.fresh {
            Stage::First
        } else {
            Stage::Open
        };
        Attempt { stage, waited: now.saturating_sub(self.since) }
    }
}

/// What a request waits for; none if it retains nothing.
fn seeker(write: &Write) -> Option<Seeker> {
    match &write.command {
        Command::Retain(Retain { session, product, .. }) => {
            Some((write.license.clone(), session.clone(), *product))
        }
        Command::Install(_) | Command::Uninstall | Command::Renew(_) | Command::Release(_) => None,
    }
}

fn product(write: &Write) -> Option<ProductId> {
    match &write.command {
        Command::Retain(retain) => Some(retain.product),
        Command::Install(_) | Command::Uninstall | Command::Renew(_) | Command::Release(_) => None,
    }
}

/// Whether a request waits for this.
fn is(write: &Write, (license, session, product): &Seeker) -> bool {
    write.license == *license
        && matches!(&write.command, Command::Retain(retain)
            if retain.session == *session && retain.product == *product)
}
