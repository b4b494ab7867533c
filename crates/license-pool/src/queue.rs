//! Who waits for a license: first come, first served, for each product on this server. A session
//! waits once, however many requests it makes meanwhile, and keeps its place for a while when it asks
//! again. That it was refused is recorded once it has lost its place: until then its wait may go on.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use license_core::{Command, Ledger, Retain, Whom};
use license_types::{ProductId, RefusalCode, SessionId};

use crate::Error;
use crate::log::Which;
use crate::refusals::Owed;
use crate::request::{Done, Write};

/// No more sessions wait at once for one product, and no more for it in the name of one principal.
const WAITING_MAX: usize = 1000;
const OF_PRINCIPAL_MAX: usize = 500;

/// No more places are kept: who makes up sessions gains no memory of ours.
const PLACES_MAX: usize = 10_000;

/// How long a session keeps its place between two requests.
const PLACE_KEPT: Duration = Duration::from_secs(15);

/// Those who wait, in the order in which they are served.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Vec<Waiter>,
    /// The places of those who may ask again.
    places: BTreeMap<Seeker, Place>,
    /// When places are lost, in that order; some of them are no more.
    lapses: VecDeque<(Duration, Seeker)>,
    /// What is to be recorded at once of those whose places could not be kept.
    lapsed: Vec<Owed>,
    last_place: u64,
}

/// The place of a session that may ask again.
struct Place {
    number: u64,
    /// When its wait began.
    since: Duration,
    until: Duration,
    /// What is to be recorded when it is lost.
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
    /// Whether it was never tried.
    fresh: bool,
    /// Whether it was part of a turn of which nobody knows whether it was made.
    in_doubt: bool,
    /// What is to be recorded of its session if this request is not answered with a refusal.
    owed: Option<Owed>,
}

/// What became of who waited.
pub(crate) struct Outcome {
    pub(crate) answer: Result<Done, Error>,
    /// The refusal that is to be recorded once the place is lost.
    pub(crate) owed: Option<Owed>,
}

/// How a waiter is tried in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) stage: Stage,
    /// How long its session waited until now.
    pub(crate) waited: Duration,
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It is new; it goes on waiting unless there is a license.
    First,
    /// It goes on waiting unless there is a license.
    Open,
    /// Its wait has ended: it is granted a license now, or refused.
    Last,
    /// Its caller has gone: nothing is granted.
    Gone,
}

impl Queue {
    /// Adds a request that waits for `patience`, or answers that too many do.
    pub(crate) fn join(&mut self, write: Write, patience: Duration, now: Duration) {
        let Some(seeker) = seeker(&write) else { return write.reply.fail(Error::Internal(None)) };
        let beside = self.waiting.iter().find(|waiter| is(&waiter.write, &seeker));
        let beside = beside.map(|waiter| (waiter.place, waiter.since, None));
        let mut kept = || self.places.remove(&seeker).map(|it| (it.number, it.since, it.owed));
        // Who waits already, or may go on to wait, is no more than before.
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

    /// How many sessions wait for what is asked for, in the name of who asks or of all, where they
    /// are too many already.
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

    /// Keeps the place of who may ask again.
    fn keep(&mut self, seeker: Seeker, place: Place) {
        if self.places.len() < PLACES_MAX {
            self.lapses.push_back((place.until, seeker.clone()));
            self.places.insert(seeker, place);
        } else {
            self.lapsed.extend(place.owed);
        }
    }

    /// Takes the places away that were kept for long enough; gives what is to be recorded of that.
    pub(crate) fn lapsed(&mut self, now: Duration) -> Vec<Owed> {
        while let Some((until, seeker)) = self.lapses.pop_front_if(|(until, _)| *until <= now) {
            // Who asked again in time has another place by now, or none to lose.
            if self.places.get(&seeker).is_some_and(|place| place.until == until) {
                self.lapsed.extend(self.places.remove(&seeker).and_then(|place| place.owed));
            }
        }
        std::mem::take(&mut self.lapsed)
    }

    /// Takes all places away because this server ends; gives what is to be recorded of that. Who was
    /// refused here may wait on elsewhere, or when the server is back: how long it waited in the end,
    /// and whether in vain, shows there. Where it waits no longer, time shows.
    pub(crate) fn end(&mut self) -> Vec<Owed> {
        let mut owed = self.lapsed(Duration::MAX);
        for Owed { refused, .. } in &mut owed {
            if let Whom::Session { waited_seconds, .. } = &mut refused.whom {
                *waited_seconds = None;
            }
        }
        owed
    }

    /// A session was granted what it had waited for: it was not refused in the end.
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

    /// Whether somebody must be tried whatever changed: who is new, whose wait has ended, who has gone.
    pub(crate) fn presses(&self, now: Duration) -> bool {
        self.waiting.iter().any(|waiter| waiter.attempt(now).stage != Stage::Open)
    }

    /// When the next wait ends, or the next place is lost.
    pub(crate) fn due(&self) -> Option<Duration> {
        let lapse = self.lapses.front().map(|(until, _)| *until);
        self.waiting.iter().map(|waiter| waiter.until).chain(lapse).min()
    }

    /// Notes that nobody knows whether the turn was made in which all of them were tried.
    pub(crate) fn doubt(&mut self) {
        self.waiting.iter_mut().for_each(|waiter| waiter.in_doubt = true);
    }

    /// All of them, in their order.
    pub(crate) fn waiters(&self) -> &[Waiter] {
        &self.waiting
    }

    /// Takes those out who are answered, by their place in the order.
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
                // What the store did not let be said leaves what was said before.
                let owed = if let Error::Refused(_) = error { owed } else { owed.or(before) };
                refused.push((seeker, Place { number, since, until: now + PLACE_KEPT, owed }));
            }
            answered.push((write, answer));
        }
        for (seeker, place) in refused {
            // Another request of the session may wait on.
            match self.waiting.iter_mut().find(|waiter| waiter.place == place.number) {
                Some(waiter) => waiter.owed = place.owed,
                None => self.keep(seeker, place),
            }
        }
        answered
    }
}

impl From<Result<Done, Error>> for Outcome {
    fn from(answer: Result<Done, Error>) -> Outcome {
        Outcome { answer, owed: None }
    }
}

impl Stage {
    /// Whether the wait goes on where there is no license.
    pub(crate) fn goes_on(self) -> bool {
        match self {
            Stage::First | Stage::Open => true,
            Stage::Last | Stage::Gone => false,
        }
    }
}

impl Waiter {
    /// Whether it would be granted now what it waits for, as far as the ledger shows.
    pub(crate) fn hopes(&self, ledger: &Ledger, now: Timestamp) -> bool {
        let Command::Retain(Retain { session, product, .. }) = &self.write.command else {
            return false;
        };
        // A ledger without this product, or with expired rights, will not have it for long.
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

fn is(write: &Write, (license, session, product): &Seeker) -> bool {
    write.license == *license
        && matches!(&write.command, Command::Retain(retain)
            if retain.session == *session && retain.product == *product)
}
