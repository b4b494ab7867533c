//! Who waits for a license: first come, first served, for each product on this server. A session
//! waits once, keeps its place for a while when it asks again, and is told of a refusal only when its
//! wait ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use license_core::{Command, Ledger, Retain};
use license_types::{ProductId, RefusalCode, SessionId};

use crate::Error;
use crate::log::Which;
use crate::request::{Done, Write};

/// No more wait at once for one product, and no more for it in the name of one principal.
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
    /// The places of those who may ask again, and until when they keep them.
    places: BTreeMap<Seeker, (u64, Duration)>,
    last_place: u64,
}

/// What one session waits for.
type Seeker = (Which, Arc<SessionId>, ProductId);

/// Who waits.
pub(crate) struct Waiter {
    pub(crate) write: Write,
    place: u64,
    since: Duration,
    until: Duration,
    /// Whether it was never tried.
    fresh: bool,
}

/// How a waiter is tried in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// For the first time; it goes on waiting unless there is a license.
    First,
    /// It goes on waiting unless there is a license.
    Open,
    /// Its wait has ended: it is granted a license now, or refused.
    Last {
        /// How long it waited.
        waited: Duration,
    },
    /// It has gone: nothing is granted, and the refusal is recorded.
    Gone {
        /// How long it waited.
        waited: Duration,
    },
}

impl Queue {
    /// Adds a request that waits for `patience`, or answers that too many do.
    pub(crate) fn join(&mut self, write: Write, patience: Duration, now: Duration) {
        if let Some(waiting) = self.full_for(&write) {
            write.reply.fail(Error::QueueFull { waiting });
            return;
        }
        let kept = seeker(&write).and_then(|seeker| {
            let waits = self.waiting.iter().find(|waiter| is(&waiter.write, &seeker));
            let waits = waits.map(|waiter| waiter.place);
            let mut kept = || self.places.remove(&seeker).filter(|(_, until)| *until > now);
            waits.or_else(|| kept().map(|(place, _)| place))
        });
        let place = kept.unwrap_or_else(|| {
            self.last_place += 1;
            self.last_place
        });
        let until = now.saturating_add(patience);
        let at = self.waiting.partition_point(|waiter| waiter.place <= place);
        self.waiting.insert(at, Waiter { write, place, since: now, until, fresh: true });
    }

    /// How many wait for what is asked for, in the name of who asks or of all, where they are too
    /// many already.
    fn full_for(&self, write: &Write) -> Option<usize> {
        let product = product(write);
        let alike = self.waiting.iter().map(|waiter| &waiter.write);
        let (mut all, mut own) = (0, 0);
        for waiting in
            alike.filter(|it| it.license == write.license && self::product(it) == product)
        {
            all += 1;
            own += usize::from(waiting.principal == write.principal);
        }
        let is_anybody = write.principal.is_none();
        match all {
            WAITING_MAX.. => Some(all),
            _ => (own >= OF_PRINCIPAL_MAX && !is_anybody).then_some(own),
        }
    }

    /// Keeps the place of who may ask again.
    fn keep(&mut self, seeker: Seeker, place: u64, now: Duration) {
        if self.places.len() >= PLACES_MAX {
            self.places.retain(|_, (_, until)| *until > now);
        }
        if self.places.len() < PLACES_MAX {
            self.places.insert(seeker, (place, now + PLACE_KEPT));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether somebody must be tried whatever changed: who is new, whose wait has ended, who has gone.
    pub(crate) fn presses(&self, now: Duration) -> bool {
        self.waiting.iter().any(|waiter| waiter.attempt(now) != Attempt::Open)
    }

    /// When the next wait ends.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.waiting.iter().map(|waiter| waiter.until).min()
    }

    /// All of them, in their order.
    pub(crate) fn waiters(&self) -> &[Waiter] {
        &self.waiting
    }

    /// Takes those out who are answered, by their place in the order.
    pub(crate) fn answered(
        &mut self,
        outcomes: Vec<Option<Result<Done, Error>>>,
        now: Duration,
    ) -> Vec<(Write, Result<Done, Error>)> {
        let mut answered = Vec::new();
        let waiting = std::mem::take(&mut self.waiting);
        for (mut waiter, outcome) in waiting.into_iter().zip(outcomes) {
            match outcome {
                None => {
                    waiter.fresh = false;
                    self.waiting.push(waiter);
                }
                Some(outcome) => {
                    if let (Some(seeker), Err(_)) = (seeker(&waiter.write), &outcome) {
                        self.keep(seeker, waiter.place, now);
                    }
                    answered.push((waiter.write, outcome));
                }
            }
        }
        answered
    }
}

impl Attempt {
    /// Whether the wait goes on where there is no license.
    pub(crate) fn goes_on(self) -> bool {
        match self {
            Attempt::First | Attempt::Open => true,
            Attempt::Last { .. } | Attempt::Gone { .. } => false,
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
        let waited = now.saturating_sub(self.since);
        if self.write.reply.is_gone() {
            Attempt::Gone { waited }
        } else if self.until <= now {
            Attempt::Last { waited }
        } else if self.fresh {
            Attempt::First
        } else {
            Attempt::Open
        }
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
