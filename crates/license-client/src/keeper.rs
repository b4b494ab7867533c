//! Which leases are to be renewed and which licenses released, and when: a state machine that is
//! told what happened and says what to ask the servers.

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

/// A server renews so many sessions by one request.
const SESSIONS_MAX: usize = 1000;

/// What one session can hold of one product, at most once at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) license: Arc<str>,
    pub(crate) session: SessionId,
    pub(crate) product: ProductId,
}

/// Answers whoever waits.
pub(crate) type Reply<T> = oneshot::Sender<T>;

/// Something that happened.
pub(crate) enum Event {
    /// Somebody is about to retain; is told when nothing stands in the way.
    Retaining { place: Place, go: Reply<()> },
    /// What was retained is in the hands of a guard now.
    Retained { place: Place, granted: Granted },
    /// Nothing came of it.
    NotRetained { place: Place },
    /// A guard was dropped.
    Dropped { place: Place, token: Token, guard: u64 },
    /// The holder wants it released, whoever else holds it in this process.
    Release { place: Place, token: Token, reply: Reply<Result<Released, Error>> },
    /// A request that renews was answered.
    Renewed { license: Arc<str>, sent: Moment, answer: Result<RenewListReceipt, Error> },
    /// A request that releases was answered, or given up.
    Released { place: Place },
}

/// What a guard stands for.
pub(crate) struct Granted {
    pub(crate) token: Token,
    /// When the request was sent.
    pub(crate) sent: Moment,
    pub(crate) lease: Option<LeaseTerms>,
    pub(crate) guard: Guard,
}

/// One of those who hold a license in this process.
pub(crate) struct Guard {
    pub(crate) id: u64,
    pub(crate) notices: async_channel::Sender<Notice>,
}

/// Something to ask a server, to be answered by an [`Event`].
pub(crate) enum Effect {
    Renew { license: Arc<str>, sessions: Vec<SessionId> },
    Release { place: Place, token: Token, reply: Option<Reply<Result<Released, Error>>> },
}

/// All that one client holds.
pub(crate) struct Keeper {
    places: BTreeMap<Place, Holdings>,
    /// Licenses with a renewal on its way.
    renewing: HashSet<Arc<str>>,
    random: Rng,
}

/// What is going on at one place.
///
/// Retaining again what is being released would give the same retention just before it ends; so one
/// waits for the other.
#[derive(Default)]
struct Holdings {
    retaining: usize,
    releasing: usize,
    waiting: Vec<Reply<()>>,
    seats: BTreeMap<Token, Seat>,
}

/// One retention.
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

    /// Takes what happened; says what to do about it.
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

    /// Does what time alone brings: tells holders, and renews what is due.
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

    /// Renews, by one request, what is due and what will be soon.
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
        // A request renews all that a session holds.
        for (place, holdings) in &mut self.places {
            if place.license == license && sessions.binary_search(&place.session).is_ok() {
                holdings.seats.values_mut().for_each(|seat| seat.lease.renewing());
            }
        }
        self.renewing.insert(license.clone());
        Effect::Renew { license, sessions }
    }

    /// Time to the next moment at which time alone brings something.
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

    /// Whether releases are on their way.
    pub(crate) fn is_releasing(&self) -> bool {
        self.places.values().any(|holdings| holdings.releasing > 0)
    }

    /// What came of a renewal, for all that it was to renew.
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
            // What was retained while the request was on its way, the answer need not know.
            let seats = holdings.seats.iter_mut().filter(|(_, seat)| seat.lease.is_renewing());
            for (token, seat) in seats {
                let spread = self.random.f64();
                seat.renewed(now, *token, sent, result, failure.as_ref(), spread);
                seat.tell(now);
            }
        }
    }

    /// Releases what nobody holds any more, unless somebody is about to get it again.
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
    /// Lets those retain who wait, if nothing stands in the way.
    fn let_go(&mut self) {
        if self.releasing == 0 {
            for go in self.waiting.drain(..) {
                // Who does not wait any more does not retain.
                self.retaining += usize::from(go.send(()).is_ok());
            }
        }
    }

    fn granted(&mut self, granted: Granted) {
        let Granted { token, sent, lease, guard } = granted;
        match self.seats.get_mut(&token) {
            // Asking again renews it.
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

    /// Tells every holder what is new.
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
            // Nobody listens, or the oldest makes room.
            let _ = guard.notices.force_send(notice.clone());
        }
    }
}

#[cfg(test)]
mod tests;
