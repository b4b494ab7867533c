//! Folds refusals, since a client that asks again and again would fill the log. The first refusal of
//! a session for a product and a reason in a minute is an entry at once. Repetitions are counted, and
//! told in one entry when the minute ends, or when the session is granted what it was refused. If more
//! sessions are refused a product than can be named, one entry stands for the rest. The counts are
//! this pool's own and only in memory: a crash loses those of a minute.
//!
//! An entry bears the time at which it is appended. So that it still falls into the day in which the
//! refusals happened, in any time zone, a minute ends one second before that of the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use license_core::{Event, Fault, Ledger, Refused, Retain, Whom};
use license_types::{Principal, ProductId, RefusalCode, SessionId};

use super::step::{Gathering, Step};
use super::{Moment, Turns, distinct, place};
use crate::Error;
use crate::log::{LedgerId, Turn, Which};

/// How many sessions are named for one product in a minute.
const NAMED_MAX: usize = 100;

/// How many of the others are told apart; beyond that, a new session is not counted as another one.
const OTHERS_MAX: usize = 10_000;

/// For how many products and reasons of a ledger the others are counted. There is a limit, since
/// anybody can ask for products that do not exist.
const COUNTED_MAX: usize = 100;

/// A minute in milliseconds.
const MINUTE: i64 = 60_000;

/// How many milliseconds a minute ends before that of the clock; in that time its entries must become
/// durable.
const EARLY: i64 = 1000;

/// How long to wait before refusals that the store did not take are told again.
const RETRY: Duration = Duration::from_secs(1);

/// The refusals of the current minute, and of minutes that ended and were not told yet.
#[derive(Default)]
pub(crate) struct Refusals {
    ledgers: BTreeMap<LedgerId, Minute>,
    /// Refusals at the end of a wait that are to be noted now.
    owed: Vec<Owed>,
    /// When to note them; later only if that failed.
    owed_at: Duration,
    /// The ledgers that the turn has changed here, as they were before: to undo it.
    before: BTreeMap<LedgerId, Option<Minute>>,
}

/// A refusal that is noted later than it was answered, since its session could have waited on.
pub(crate) struct Owed {
    pub(crate) license: Which,
    pub(crate) principal: Option<Arc<Principal>>,
    pub(crate) refused: Box<Refused>,
}

/// A refusal to be told, and who asked.
pub(crate) type Told = (Event, Option<Arc<Principal>>);

/// The refusals of one ledger in one minute.
#[derive(Clone)]
struct Minute {
    /// The minutes of the epoch at its end, by the clock of the store.
    number: i64,
    /// The elapsed time at which it is over.
    over: Duration,
    /// A number that leads to the ledger.
    license: Arc<str>,
    named: BTreeMap<(ProductId, Arc<SessionId>, RefusalCode), Named>,
    others: BTreeMap<(ProductId, RefusalCode), Others>,
}

/// A session whose first refusal is an entry.
#[derive(Clone)]
struct Named {
    principal: Option<Arc<Principal>>,
    /// The last repetition, standing for all of them, with the longest wait of any.
    repeated: Option<Refused>,
}

/// Sessions that are not named.
#[derive(Clone)]
struct Others {
    sessions: BTreeSet<u64>,
    last: Refused,
}

impl Refusals {
    /// Begins a turn: undoes what an earlier one noted that was not made.
    pub(crate) fn begin(&mut self) {
        for (id, before) in mem::take(&mut self.before) {
            match before {
                Some(minute) => drop(self.ledgers.insert(id, minute)),
                None => drop(self.ledgers.remove(&id)),
            }
        }
    }

    /// The turn is durable.
    pub(crate) fn commit(&mut self) {
        self.before.clear();
        self.ledgers.retain(|_, minute| !minute.is_empty());
    }

    /// Notes a refusal; gives what is to be told now.
    pub(crate) fn note(
        &mut self,
        id: LedgerId,
        ledger: &Ledger,
        refused: Box<Refused>,
        principal: Option<Arc<Principal>>,
        now: Timestamp,
        elapsed: Duration,
    ) -> Vec<Told> {
        let ahead = now.as_millisecond() + EARLY;
        let number = ahead.div_euclid(MINUTE);
        let mut told = match self.ledgers.get(&id) {
            Some(minute) if minute.number != number => self.end(id),
            Some(_) | None => Vec::new(),
        };
        self.keep(id);
        let minute = self.ledgers.entry(id).or_insert_with(|| {
            let left = MINUTE - ahead.rem_euclid(MINUTE);
            let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
            let license = ledger.license_number().cloned().unwrap_or_default();
            Minute::new(number, elapsed.saturating_add(left), license)
        });
        told.extend(minute.note(refused, principal));
        told
    }

    /// Has these noted soon, in a turn of their own.
    pub(crate) fn owe(&mut self, owed: Vec<Owed>) {
        self.owed.extend(owed);
    }

    /// Gives the repetitions to tell of a session that now holds what it asked for. If they were told
    /// later, the session might have given the license back, and they would look like refusals after
    /// which it went without.
    pub(crate) fn settle(&mut self, id: LedgerId, ledger: &Ledger, retain: &Retain) -> Vec<Told> {
        let Retain { product, session, .. } = retain;
        let holds = || ledger.held(session).any(|held| held.record.product == *product);
        if !self.ledgers.contains_key(&id) || !holds() {
            return Vec::new();
        }
        self.keep(id);
        let minute = self.ledgers.get_mut(&id);
        minute.map_or_else(Vec::new, |minute| minute.take_repeated(*product, session))
    }

    /// Ends the minute of a ledger; gives what is still to be told of it.
    pub(crate) fn end(&mut self, id: LedgerId) -> Vec<Told> {
        self.keep(id);
        self.ledgers.remove(&id).map(Minute::end).unwrap_or_default()
    }

    /// When there is something to be told next.
    pub(crate) fn due(&self) -> Option<Duration> {
        let told = self.ledgers.values().filter(|minute| minute.counts());
        let owed = (!self.owed.is_empty()).then_some(self.owed_at);
        told.map(|minute| minute.over).chain(owed).min()
    }

    /// Takes what is owed, when it is time for that.
    fn take_owed(&mut self, elapsed: Duration) -> Vec<Owed> {
        if self.owed_at <= elapsed { mem::take(&mut self.owed) } else { Vec::new() }
    }

    /// The ledgers whose minute is over, and a number that leads to each; those of which nothing is
    /// to be told are forgotten.
    pub(crate) fn over(&mut self, elapsed: Duration) -> Vec<(LedgerId, Arc<str>)> {
        self.ledgers.retain(|_, minute| minute.over > elapsed || minute.counts());
        let over = self.ledgers.iter().filter(|(_, minute)| minute.over <= elapsed);
        over.map(|(id, minute)| (*id, minute.license.clone())).collect()
    }

    /// Puts off what is to be told of these ledgers.
    pub(crate) fn postpone(&mut self, ids: impl Iterator<Item = LedgerId>, until: Duration) {
        for id in ids {
            if let Some(minute) = self.ledgers.get_mut(&id) {
                minute.over = until;
            }
        }
    }

    /// Remembers how a ledger was when the turn began, before it is changed.
    fn keep(&mut self, id: LedgerId) {
        let minute = self.ledgers.get(&id);
        self.before.entry(id).or_insert_with(|| minute.cloned());
    }
}

impl Turns {
    /// Appends what was counted in minutes that are over, or in `all` of them, and the refusals of
    /// those who waited in vain.
    pub(crate) fn tell_refusals(&mut self, all: bool) {
        let elapsed = if all { Duration::MAX } else { self.elapsed() };
        self.tell_owed(elapsed);
        let over = self.refusals.over(elapsed);
        if over.is_empty() {
            return;
        }
        let which = |license: &Arc<str>| Which::Number(license.clone());
        let asked: Vec<Which> = over.iter().map(|(_, license)| which(license)).collect();
        let licenses = distinct(asked.iter());
        let told = self.turn_of_refusals(&licenses, |refusals, moment, gathering| {
            for (id, license) in &over {
                let told = refusals.end(*id);
                let license = which(license);
                let found = &moment.found[place(&licenses, &license)];
                // If the license was uninstalled, nobody reads its log any more.
                let Ok((_, ledger)) = moment.ledgers.get(&license, found) else { continue };
                let (gathered, _) = gathering.of(*id, ledger);
                let (stamp, clock) = (moment.stamp, moment.clock);
                Step { ledger, stamp, clock, gathered }.tell(told)?;
            }
            Ok(())
        });
        if told.is_err() {
            let later = self.elapsed().saturating_add(RETRY);
            self.refusals.postpone(over.into_iter().map(|(id, _)| id), later);
        }
    }

    /// Tells who waited in vain.
    fn tell_owed(&mut self, until: Duration) {
        let owed = self.refusals.take_owed(until);
        if owed.is_empty() {
            return;
        }
        let licenses = distinct(owed.iter().map(|owed| &owed.license));
        let elapsed = self.elapsed();
        let told = self.turn_of_refusals(&licenses, |refusals, moment, gathering| {
            for Owed { license, principal, refused } in &owed {
                let found = &moment.found[place(&licenses, license)];
                let Ok((id, ledger)) = moment.ledgers.get(license, found) else { continue };
                let (stamp, clock) = (moment.stamp, moment.clock);
                let (refused, principal) = (refused.clone(), principal.clone());
                let told = refusals.note(id, ledger, refused, principal, clock.now, elapsed);
                let (gathered, _) = gathering.of(id, ledger);
                Step { ledger, stamp, clock, gathered }.tell(told)?;
            }
            Ok(())
        });
        if told.is_err() {
            self.refusals.owe(owed);
            self.refusals.owed_at = self.elapsed().saturating_add(RETRY);
        }
    }

    /// Takes a turn that tells of refusals. If it fails, none of them count as told.
    fn turn_of_refusals(
        &mut self,
        licenses: &[Which],
        mut tell: impl FnMut(&mut Refusals, &mut Moment<'_>, &mut Gathering) -> Result<(), Fault>,
    ) -> Result<(), Error> {
        let mut refusals = mem::take(&mut self.refusals);
        let told = self.turn(licenses, |mut moment| {
            refusals.begin();
            let mut gathering = Gathering::default();
            tell(&mut refusals, &mut moment, &mut gathering)?;
            let appends = gathering.into_appends(moment.ledgers);
            Ok((Turn { appends, ..Turn::default() }, ()))
        });
        match &told {
            Ok(()) => refusals.commit(),
            Err(_) => refusals.begin(),
        }
        self.refusals = refusals;
        told
    }
}

impl Named {
    /// Counts a repetition.
    fn repeat(&mut self, mut refused: Refused) {
        if let Some(before) = &self.repeated {
            refused.times = refused.times.saturating_add(before.times);
            if let (
                Whom::Session { waited_seconds: longest, .. },
                Whom::Session { waited_seconds, .. },
            ) = (&mut refused.whom, &before.whom)
            {
                *longest = (*longest).max(*waited_seconds);
            }
        }
        self.repeated = Some(refused);
    }

    /// One entry for the repetitions since the first refusal, or since this was last asked.
    fn take_repeated(&mut self) -> Option<Told> {
        let repeated = Box::new(self.repeated.take()?);
        Some((Event::Refused(repeated), self.principal.clone()))
    }
}

impl Minute {
    fn new(number: i64, over: Duration, license: Arc<str>) -> Minute {
        Minute { number, over, license, named: BTreeMap::new(), others: BTreeMap::new() }
    }

    fn is_empty(&self) -> bool {
        self.named.is_empty() && self.others.is_empty()
    }

    /// Whether anything is counted that is still to be told.
    fn counts(&self) -> bool {
        !self.others.is_empty() || self.named.values().any(|named| named.repeated.is_some())
    }

    fn note(&mut self, refused: Box<Refused>, principal: Option<Arc<Principal>>) -> Option<Told> {
        let Refused { product, code, .. } = *refused;
        let Whom::Session { session, .. } = &refused.whom else { return None };
        let key = (product, session.clone(), code);
        if let Some(named) = self.named.get_mut(&key) {
            named.repeat(*refused);
            return None;
        }
        // All products that the license does not list count as one here.
        let named = self.named.keys().filter(|(other, _, other_code)| match code {
            RefusalCode::UnknownProduct => *other_code == code,
            RefusalCode::NotPermitted
            | RefusalCode::LicenseExpired
            | RefusalCode::NoLicenseLeft => *other == product,
        });
        if named.count() < NAMED_MAX {
            self.named.insert(key, Named { principal: principal.clone(), repeated: None });
            return Some((Event::Refused(refused), principal));
        }
        let (session, counted) = (hash(session), self.others.len());
        match self.others.get_mut(&(product, code)) {
            Some(others) => {
                if others.sessions.len() < OTHERS_MAX {
                    others.sessions.insert(session);
                }
                let times = others.last.times.saturating_add(refused.times);
                others.last = Refused { times, ..*refused };
            }
            None if counted < COUNTED_MAX => {
                let others = Others { sessions: BTreeSet::from([session]), last: *refused };
                self.others.insert((product, code), others);
            }
            None => {}
        }
        None
    }

    /// The repetitions of a session and a product, for whatever reason it was refused.
    fn take_repeated(&mut self, product: ProductId, session: &Arc<SessionId>) -> Vec<Told> {
        let key = |code: &RefusalCode| (product, session.clone(), *code);
        let named = |code| self.named.get_mut(&key(code)).and_then(Named::take_repeated);
        RefusalCode::ALL.iter().filter_map(named).collect()
    }

    fn end(self) -> Vec<Told> {
        let repeated = self.named.into_values().filter_map(|mut named| named.take_repeated());
        let others = self.others.into_values().map(|Others { sessions, last }| {
            let sessions = u64::try_from(sessions.len()).unwrap_or(u64::MAX);
            let refused = Refused { whom: Whom::Others { sessions }, ..last };
            (Event::Refused(Box::new(refused)), None)
        });
        repeated.chain(others).collect()
    }
}

fn hash(session: &SessionId) -> u64 {
    let mut hasher = DefaultHasher::new();
    session.hash(&mut hasher);
    hasher.finish()
}
