//! Decides which leases to renew and which licenses to release, and when. It is a state machine: it
//! takes in what happened ([`Event`]) and says what to ask the servers ([`Effect`]). It has no clock and
//! does no I/O, so that tests can play any order of events.
//!
//! How a lease is kept, through the modules:
//!
//! 1. `client` asks the keeper before it retains, and hands over what was granted. `seat` tells the
//!    keeper when a seat is dropped or released.
//! 2. `background` is the thread around the keeper. It sleeps until [`Keeper::next`], calls
//!    [`Keeper::tick`] for what is due, sends the effects, and feeds their outcomes back as events.
//! 3. `lease` knows for one retention when to renew, when to try again, and what its holder may believe.
//! 4. `servers` sends a request to the current server, and goes on to the next when that fails.
//!
//! Three rules hold all along:
//!
//! - One renewal at a time for each license. It covers every session that is due or soon will be, so
//!   that a thousand sessions cost one request.
//! - A renewal that fails is not repeated at once. The lease waits for a pause that doubles with each
//!   failure and is spread at random, and goes on trying even when the lease is over: only a server can
//!   say that a license is lost.
//! - For one [`Place`], retaining and releasing exclude each other. A server answers a second retain
//!   with the same retention, so a release that overtook it would take that away again.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use license_types::{
    Lease as LeaseTerms, ProblemCode, ProductId, Released, RenewListReceipt, RenewResult,
    SessionId, Token,
};

use crate::lease::{Lease, Standing};
use crate::moment::Moment;
use crate::{Error, Notice};

/// How many sessions a server renews by one request.
const SESSIONS_MAX: usize = 1000;

/// Identifies what can be held at most once at a time: a product, by a session, of a license.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) license: Arc<str>,
    pub(crate) session: SessionId,
    pub(crate) product: ProductId,
}

/// Where the answer to a waiting caller goes.
pub(crate) type Reply<T> = oneshot::Sender<T>;

/// Something that happened.
pub(crate) enum Event {
    /// Somebody wants to retain, and is to `go` ahead once no release of the place is in flight.
    Retaining { place: Place, go: Reply<()> },
    /// It was granted, and a new guard holds it.
    Retained { place: Place, granted: Granted },
    /// It was refused, or failed.
    NotRetained { place: Place },
    /// A guard was dropped.
    Dropped { place: Place, token: Token, guard: u64 },
    /// A holder wants it released, even if other guards in this process hold it too.
    Release { place: Place, token: Token, reply: Reply<Result<Released, Error>> },
    /// A renewal was answered, or failed.
    Renewed { license: Arc<str>, sent: Moment, answer: Result<RenewListReceipt, Error> },
    /// A release was answered, or given up.
    Released { place: Place },
}

/// A retention that was granted, and its new guard.
pub(crate) struct Granted {
    pub(crate) token: Token,
    /// When the request was sent, from which the lease counts.
    pub(crate) sent: Moment,
    pub(crate) lease: Option<LeaseTerms>,
    pub(crate) guard: Guard,
}

/// One holder of a retention in this process: a [`Seat`](crate::Seat) of the application.
pub(crate) struct Guard {
    pub(crate) id: u64,
    pub(crate) notices: async_channel::Sender<Notice>,
}

/// A request to send; its outcome comes back as an [`Event`].
pub(crate) enum Effect {
    Renew { license: Arc<str>, sessions: Vec<SessionId> },
    Release { place: Place, token: Token, reply: Option<Reply<Result<Released, Error>>> },
}

/// Everything that one client holds.
pub(crate) struct Keeper {
    places: BTreeMap<Place, Holdings>,
    /// Licenses with a renewal in flight.
    renewing: HashSet<Arc<str>>,
    random: Rng,
}

/// What is going on at one place.
#[derive(Default)]
struct Holdings {
    /// How many retains are in flight.
    retaining: usize,
    /// How many releases are in flight or to be sent.
    releasing: usize,
    /// Callers that want to retain, while releases are in flight.
    waiting: Vec<Reply<()>>,
    seats: BTreeMap<Token, Seat>,
}

/// One retention, with all its guards.
struct Seat {
    lease: Lease,
    guards: Vec<Guard>,
    /// Why the last renewal failed.
    cause: Option<Error>,
}

impl Keeper {
    pub(crate) fn new(random: Rng) -> Keeper {
        Keeper { places: BTreeMap::new(), renewing: HashSet::new(), random }
    }

    /// Takes in what happened, and says what to do about it.
    pub(crate) fn take(&mut self, now: Moment, event: Event) -> Vec<Effect> {
        match event {
            Event::Retaining { place, go } => {
                let holdings = self.places.entry(place).or_default();
                holdings.waiting.push(go);
                holdings.let_go();
                Vec::new()
            }
            Event::Retained { place, granted } => {
                let holdings = self.places.entry(place.clone()).or_default();
                holdings.retaining = holdings.retaining.saturating_sub(1);
                holdings.granted(granted);
                self.settle(&place)
            }
            Event::NotRetained { place } => {
                let holdings = self.places.entry(place.clone()).or_default();
                holdings.retaining = holdings.retaining.saturating_sub(1);
                self.settle(&place)
            }
            Event::Dropped { place, token, guard } => {
                let seat = self.places.get_mut(&place).and_then(|at| at.seats.get_mut(&token));
                if let Some(seat) = seat {
                    seat.guards.retain(|held| held.id != guard);
                }
                self.settle(&place)
            }
            Event::Release { place, token, reply } => {
                let holdings = self.places.entry(place.clone()).or_default();
                if let Some(mut seat) = holdings.seats.remove(&token) {
                    seat.lease.lost();
                    seat.tell(now);
                }
                holdings.releasing += 1;
                vec![Effect::Release { place, token, reply: Some(reply) }]
            }
            Event::Renewed { license, sent, answer } => {
                self.renewing.remove(&license);
                self.renewed(now, &license, sent, answer);
                Vec::new()
            }
            Event::Released { place } => {
                if let Some(holdings) = self.places.get_mut(&place) {
                    holdings.releasing = holdings.releasing.saturating_sub(1);
                    holdings.let_go();
                }
                self.settle(&place)
            }
        }
    }

    /// Does what time alone brings about: notifies holders, and renews what is due.
    pub(crate) fn tick(&mut self, now: Moment) -> Vec<Effect> {
        let mut due: BTreeSet<Arc<str>> = BTreeSet::new();
        for (place, holdings) in &mut self.places {
            for seat in holdings.seats.values_mut() {
                seat.tell(now);
                if seat.lease.is_due(now) && !self.renewing.contains(&place.license) {
                    due.insert(place.license.clone());
                }
            }
        }
        due.into_iter().map(|license| self.renew(now, license)).collect()
    }

    /// Renews, by one request, what is due or soon will be.
    fn renew(&mut self, now: Moment, license: Arc<str>) -> Effect {
        let mut sessions = Vec::new();
        let here = self.places.iter_mut().filter(|(place, _)| place.license == license);
        for (place, holdings) in here {
            let is_listed = sessions.last() == Some(&place.session);
            let is_wanted = holdings.seats.values().any(|seat| seat.lease.is_nearly_due(now));
            if !is_listed && is_wanted && sessions.len() < SESSIONS_MAX {
                sessions.push(place.session.clone());
            }
        }
        // The request renews all that these sessions hold, also what is not due yet.
        for (place, holdings) in &mut self.places {
            if place.license == license && sessions.binary_search(&place.session).is_ok() {
                holdings.seats.values_mut().for_each(|seat| seat.lease.renewing());
            }
        }
        self.renewing.insert(license.clone());
        Effect::Renew { license, sessions }
    }

    /// Time until [`tick`](Self::tick) has something to do; none if it never will.
    pub(crate) fn next(&self, now: Moment) -> Option<Duration> {
        let mut next: Option<Duration> = None;
        for (place, holdings) in &self.places {
            let busy = self.renewing.contains(&place.license);
            for seat in holdings.seats.values() {
                let renewal = seat.lease.renewal_in(now).filter(|_| !busy);
                next = next.into_iter().chain(renewal).chain(seat.lease.change_in(now)).min();
            }
        }
        next
    }

    /// Whether releases are in flight.
    pub(crate) fn is_releasing(&self) -> bool {
        self.places.values().any(|holdings| holdings.releasing > 0)
    }

    /// Takes in the outcome of a renewal, for everything that it covered.
    fn renewed(
        &mut self,
        now: Moment,
        license: &Arc<str>,
        sent: Moment,
        answer: Result<RenewListReceipt, Error>,
    ) {
        let mut results: BTreeMap<SessionId, RenewResult> = BTreeMap::new();
        let mut failure = None;
        match answer {
            Ok(receipt) => {
                let sessions = receipt.sessions.into_iter();
                results.extend(sessions.map(|result| (result.session_id.clone(), result)));
            }
            Err(error) => failure = Some(error),
        }
        let here = self.places.iter_mut().filter(|(place, _)| place.license == *license);
        for (place, holdings) in here {
            let result = results.get(&place.session);
            // The answer may not know what was retained while the request was in flight.
            let seats = holdings.seats.iter_mut().filter(|(_, seat)| seat.lease.is_renewing());
            for (token, seat) in seats {
                let spread = self.random.f64();
                seat.renewed(now, *token, sent, result, failure.as_ref(), spread);
                seat.tell(now);
            }
        }
    }

    /// Releases what has no guard left, unless a retain in flight may bring it a new one.
    fn settle(&mut self, place: &Place) -> Vec<Effect> {
        let Some(holdings) = self.places.get_mut(place) else { return Vec::new() };
        let mut effects = Vec::new();
        if holdings.retaining == 0 {
            let left = holdings.seats.extract_if(.., |_, seat| seat.guards.is_empty());
            for (token, seat) in left.filter(|(_, seat)| !seat.lease.is_gone()) {
                drop(seat);
                holdings.releasing += 1;
                effects.push(Effect::Release { place: place.clone(), token, reply: None });
            }
        }
        if holdings.is_idle() {
            self.places.remove(place);
        }
        effects
    }
}

impl Holdings {
    /// Lets waiting callers retain, unless a release is in flight.
    fn let_go(&mut self) {
        if self.releasing == 0 {
            for go in self.waiting.drain(..) {
                // A caller that has gone will not retain.
                self.retaining += usize::from(go.send(()).is_ok());
            }
        }
    }

    fn granted(&mut self, granted: Granted) {
        let Granted { token, sent, lease, guard } = granted;
        match self.seats.get_mut(&token) {
            // Retaining what is held already renewed its lease.
            Some(seat) => {
                seat.lease.renewed(sent, lease.as_ref());
                seat.guards.push(guard);
            }
            None => {
                let lease = Lease::new(sent, lease.as_ref());
                self.seats.insert(token, Seat { lease, guards: vec![guard], cause: None });
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.retaining == 0
            && self.releasing == 0
            && self.waiting.is_empty()
            && self.seats.is_empty()
    }
}

impl Seat {
    fn renewed(
        &mut self,
        now: Moment,
        token: Token,
        sent: Moment,
        result: Option<&RenewResult>,
        failure: Option<&Error>,
        spread: f64,
    ) {
        let held = result.and_then(|result| result.held.as_ref());
        let problem = result.and_then(|result| result.problem.as_ref());
        match (held, problem) {
            (Some(held), _) => match held.iter().find(|held| held.token == token) {
                Some(held) => self.lease.renewed(sent, held.lease.as_ref()),
                None => self.lease.lost(),
            },
            (None, Some(problem)) if problem.code == ProblemCode::NotRetained => self.lease.lost(),
            (None, problem) => {
                let problem = problem.map(|problem| Error::Problem(Box::new(problem.clone())));
                self.cause = problem.or_else(|| failure.cloned());
                self.lease.failed(now, spread);
            }
        }
    }

    /// Notifies every guard, if its standing has changed.
    fn tell(&mut self, now: Moment) {
        let cause = || self.cause.clone();
        let notice = match self.lease.news(now) {
            None => return,
            Some(Standing::Held) => Notice::Renewed,
            Some(Standing::InDanger) => Notice::InDanger { cause: cause() },
            Some(Standing::Overdue) => Notice::Overdue { cause: cause() },
            Some(Standing::Gone) => Notice::Lost,
        };
        for guard in &self.guards {
            // If the channel is full, the oldest notice makes room; if it is closed, nobody listens.
            let _ = guard.notices.force_send(notice.clone());
        }
    }
}

#[cfg(test)]
mod tests;
