//! What really happened: an independent reading of the log. It is written against the domain's
//! rules, not against the core: a few lists, searched and counted from scratch.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use license_core::{Entry, Event, Head, License, Retained};
use license_pool::log::{LedgerId, Log, MemoryLog};
use license_types::{
    LicenseDate, Principal, ProductId, ReleaseCause, ServerName, SessionId, SessionState,
};

/// What a license grants of one product.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) product: ProductId,
    /// `None` where any number is allowed.
    pub(super) count: Option<u64>,
    /// The instant from which it is expired.
    pub(super) ends: Option<Timestamp>,
}

/// Every ledger as its log tells it.
#[derive(Clone, Default)]
pub(super) struct Truth {
    ledgers: BTreeMap<LedgerId, History>,
    /// No principal holds more of a ledger.
    max_seats: Option<u64>,
}

/// One ledger as its log tells it.
#[derive(Clone, Default)]
pub(super) struct History {
    /// All that were ever read, also those that the log deleted since.
    entries: Vec<Entry>,
    /// When each was read, in milliseconds of the run.
    written: Vec<u64>,
    /// What was offered from an entry on; nothing where nothing was installed.
    offers: Vec<(u64, Vec<Offer>)>,
    /// Every retention that ever was; its token is its place, from 1.
    lives: Vec<Life>,
    /// What sessions said that they were doing, and after which entry; nothing once they hold nothing.
    states: Vec<(u64, SessionId, Option<SessionState>)>,
    /// The server that serves each session that holds something.
    served_by: BTreeMap<SessionId, ServerName>,
    /// How many of a product were in use after an entry.
    used: BTreeMap<ProductId, Vec<(u64, u64)>>,
}

/// One retention from its beginning to its end, both by the sequence of their entries.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) record: Arc<Retained>,
    pub(super) time: Timestamp,
    pub(super) session: SessionId,
    principal: Option<Arc<Principal>>,
    pub(super) product: ProductId,
    pub(super) began: u64,
    pub(super) ended: Option<u64>,
    pub(super) cause: Option<ReleaseCause>,
}

/// What was read just now.
#[derive(Default)]
pub(super) struct News {
    pub(super) grants: Vec<Grant>,
    pub(super) endings: Vec<Ending>,
    /// The servers that were declared dead, and by whom.
    pub(super) dead: Vec<(ServerName, ServerName)>,
}

/// A retention that began.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) ledger: LedgerId,
    pub(super) session: SessionId,
    pub(super) product: ProductId,
    pub(super) server: ServerName,
}

/// A retention that ended, and why.
pub(super) struct Ending {
    pub(super) ledger: LedgerId,
    pub(super) token: u64,
    pub(super) cause: ReleaseCause,
    /// Who served its session.
    pub(super) server: Option<ServerName>,
}

/// The entries of a ledger between two looks at it, by their sequences: `(after, to]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) after: u64,
    pub(super) to: u64,
}

impl Window {
    fn holds(self, sequence: u64) -> bool {
        self.after < sequence && sequence <= self.to
    }
}

impl Life {
    /// Whether it was held after that entry.
    fn was_held_after(&self, sequence: u64) -> bool {
        self.began <= sequence && self.ended.is_none_or(|ended| ended > sequence)
    }
}

impl Truth {
    pub(super) fn new(max_seats: Option<u64>) -> Truth {
        Truth { max_seats, ..Truth::default() }
    }

    pub(super) fn ledger(&self, id: LedgerId) -> Option<&History> {
        self.ledgers.get(&id)
    }

    /// Where each ledger ends now.
    pub(super) fn ends(&self) -> BTreeMap<LedgerId, u64> {
        self.ledgers.iter().map(|(id, history)| (*id, history.end())).collect()
    }

    /// Reads what was appended, and checks each entry; `at` judges the time of an entry.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub(super) fn read(
        &mut self,
        store: &mut MemoryLog,
        now: u64,
        mut at: impl FnMut(&Entry) -> Result<(), String>,
    ) -> Result<News, String> {
        let (mut told, max_seats) = (News::default(), self.max_seats);
        for ledger in store.ledgers().map_err(|error| error.to_string())? {
            let id = ledger.ledger;
            let history = self.ledgers.entry(id).or_default();
            let news = store.page(id, history.end(), usize::MAX);
            for entry in news.map_err(|error| error.to_string())? {
                let wrong = |what| format!("ledger {}, entry {}: {what}", id.0, entry.sequence);
                at(&entry).map_err(wrong)?;
                history.written.push(now);
                history.follow(id, &entry, &mut told).map_err(wrong)?;
                let principal = entry.stamp.principal.as_deref();
                if let (Event::Retained(_), Some(principal)) = (&entry.event, principal)
                    && max_seats.is_some_and(|max| history.seats(principal, entry.sequence) > max)
                {
                    return Err(wrong(format!("{principal} holds more than it may")));
                }
                history.entries.push(entry);
            }
        }
        Ok(told)
    }
}

impl History {
    /// How many entries there were.
    pub(super) fn end(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Every entry that there was.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether an entry with this chain value stands in that place.
    pub(super) fn bears(&self, head: Head) -> bool {
        let place = usize::try_from(head.sequence).ok().and_then(|it| it.checked_sub(1));
        place.and_then(|it| self.entries.get(it)).is_some_and(|entry| entry.chain == head.chain)
    }

    /// The tokens that are held, in their order.
    pub(super) fn held(&self) -> Vec<u64> {
        (1..).zip(&self.lives).filter(|(_, life)| life.ended.is_none()).map(|(t, _)| t).collect()
    }

    pub(super) fn life(&self, token: u64) -> Option<&Life> {
        self.lives.get(usize::try_from(token.checked_sub(1)?).ok()?)
    }

    /// Whether a token was held at some moment of the window.
    pub(super) fn was_held(&self, token: u64, window: Window) -> bool {
        self.life(token).is_some_and(|life| {
            life.began <= window.to && life.ended.is_none_or(|ended| ended > window.after)
        })
    }

    /// Whether a session held nothing of `product`, or nothing at all, at some moment of the window.
    pub(super) fn held_nothing(
        &self,
        session: &SessionId,
        product: Option<ProductId>,
        window: Window,
    ) -> bool {
        let concerns = |life: &&Life| {
            life.session == *session && product.is_none_or(|product| product == life.product)
        };
        let held_at = |sequence: u64| {
            self.lives.iter().filter(concerns).any(|life| life.was_held_after(sequence))
        };
        (window.after..=window.to).any(|sequence| !held_at(sequence))
    }

    /// How many licenses a principal held after an entry.
    fn seats(&self, principal: &Principal, after: u64) -> u64 {
        let of_principal = |life: &&Life| life.principal.as_deref() == Some(principal);
        let held = |life: &&Life| life.was_held_after(after);
        self.lives.iter().filter(of_principal).filter(held).count() as u64
    }

    /// Whether a principal held that many licenses at some moment of the window.
    pub(super) fn reached(&self, principal: &Principal, most: u64, window: Window) -> bool {
        (window.after..=window.to).any(|after| self.seats(principal, after) >= most)
    }

    /// Whether anything was held at some moment of the window.
    pub(super) fn was_in_use(&self, window: Window) -> bool {
        (window.after..=window.to).any(|after| self.lives.iter().any(|it| it.was_held_after(after)))
    }

    /// Whether nothing was installed at some moment of the window.
    pub(super) fn was_uninstalled(&self, window: Window) -> bool {
        (window.after..=window.to).any(|after| self.all_offered(after).is_empty())
    }

    /// Whether a session had said that it does this, at some moment of the window.
    pub(super) fn was_in(&self, session: &SessionId, state: SessionState, window: Window) -> bool {
        let of_session = self.states.iter().filter(|(_, of, _)| of == session);
        let said: Vec<_> = of_session.map(|(after, _, state)| (*after, *state)).collect();
        (window.after..=window.to).any(|sequence| {
            let at = said.partition_point(|(after, _)| *after <= sequence);
            at.checked_sub(1).is_some_and(|at| said[at].1 == Some(state))
        })
    }

    /// What was offered of a product after each entry of the window, and how many were in use.
    pub(super) fn moments(
        &self,
        product: ProductId,
        window: Window,
    ) -> impl Iterator<Item = (Option<&Offer>, u64)> {
        let used = self.used.get(&product).map_or(&[][..], Vec::as_slice);
        (window.after..=window.to).map(move |sequence| {
            let at = used.partition_point(|(after, _)| *after <= sequence);
            let used = at.checked_sub(1).map_or(0, |at| used[at].1);
            (self.offered(product, sequence), used)
        })
    }

    fn offered(&self, product: ProductId, sequence: u64) -> Option<&Offer> {
        self.all_offered(sequence).iter().find(|offer| offer.product == product)
    }

    fn all_offered(&self, sequence: u64) -> &[Offer] {
        let at = self.offers.partition_point(|(after, _)| *after <= sequence);
        at.checked_sub(1).map_or(&[][..], |at| &self.offers[at].1)
    }

    /// Since when one of a product that does not expire is free.
    pub(super) fn is_free(&self, product: ProductId) -> Option<u64> {
        let offer = self.offered(product, self.end()).filter(|offer| offer.ends.is_none())?;
        let trace = self.used.get(&product).map_or(&[][..], Vec::as_slice);
        let (since, used) = trace.last().copied().unwrap_or_default();
        let (installed, _) = self.offers.last()?;
        let free = offer.count.is_none_or(|count| used < count);
        let since = usize::try_from(since.max(*installed)).ok()?.checked_sub(1)?;
        self.written.get(since).copied().filter(|_| free)
    }

    /// Who serves a session that holds something.
    pub(super) fn server(&self, session: &SessionId) -> Option<&ServerName> {
        self.served_by.get(session)
    }

    /// The token that a session holds of a product.
    pub(super) fn holding(&self, session: &SessionId, product: ProductId) -> Option<u64> {
        let holds = |life: &Life| {
            life.ended.is_none() && life.session == *session && life.product == product
        };
        (1..).zip(&self.lives).find(|(_, life)| holds(life)).map(|(token, _)| token)
    }

    /// Whether the session retained that product in the window at that server.
    pub(super) fn retained_in(
        &self,
        session: &SessionId,
        product: ProductId,
        window: Window,
        server: &ServerName,
    ) -> bool {
        let retained = |life: &Life| {
            life.session == *session && life.product == product && window.holds(life.began)
        };
        self.lives.iter().any(|life| retained(life) && self.is_by(life.began, server))
    }

    /// Whether a token was given back in the window at that server.
    pub(super) fn released_in(&self, token: u64, window: Window, server: &ServerName) -> bool {
        let given_back = |life: &Life| life.cause == Some(ReleaseCause::Released);
        let ended = self.life(token).filter(|life| given_back(life)).and_then(|life| life.ended);
        ended.is_some_and(|ended| window.holds(ended) && self.is_by(ended, server))
    }

    /// Whether a server wrote an entry.
    fn is_by(&self, sequence: u64, server: &ServerName) -> bool {
        let place = usize::try_from(sequence).ok().and_then(|sequence| sequence.checked_sub(1));
        let entry = place.and_then(|place| self.entries.get(place));
        entry.is_some_and(|entry| *entry.stamp.server == *server)
    }

    fn follow(&mut self, id: LedgerId, entry: &Entry, told: &mut News) -> Result<(), String> {
        if entry.sequence != self.end() + 1 {
            return Err(format!("its sequence should be {}", self.end() + 1));
        }
        let may_not_step_back = entry.event != Event::ClockCorrected;
        if let Some(last) =
            self.entries.last().filter(|it| may_not_step_back && it.time > entry.time)
        {
            return Err(format!("its time {} lies before {}", entry.time, last.time));
        }
        let server = &entry.stamp.server;
        match &entry.event {
            Event::Installed(installed) => {
                self.offers.push((entry.sequence, offers(&installed.license)));
            }
            Event::Retained(retained) => {
                self.retained(entry, retained)?;
                let (session, server) = ((*retained.session).clone(), (**server).clone());
                told.grants.push(Grant { ledger: id, session, product: retained.product, server });
            }
            Event::Released(released) => {
                let token = released.token.get();
                let life = self.lives.get_mut(usize::try_from(token - 1).unwrap_or(usize::MAX));
                let life = life.filter(|life| life.ended.is_none());
                let Some(life) = life else {
                    return Err(format!("token {token} is released, and is not held"));
                };
                if life.session != *released.session || life.product != released.product {
                    return Err(format!("token {token} is released for another than its holder"));
                }
                life.ended = Some(entry.sequence);
                life.cause = Some(released.cause);
                self.note_use(released.product, entry.sequence);
                let server = self.served_by.get(&*released.session).cloned();
                if !self.holds(&released.session) {
                    self.served_by.remove(&*released.session);
                    self.states.push((entry.sequence, (*released.session).clone(), None));
                }
                told.endings.push(Ending { ledger: id, token, cause: released.cause, server });
            }
            Event::Moved { sessions } => {
                for session in sessions {
                    if !self.holds(session) {
                        return Err(format!("session {session} moves, and holds nothing"));
                    }
                    self.served_by.insert((**session).clone(), (**server).clone());
                }
            }
            Event::Adopted { from_server, .. } => {
                told.dead.push(((**from_server).clone(), (**server).clone()));
                for serving in self.served_by.values_mut() {
                    if serving == &**from_server {
                        *serving = (**server).clone();
                    }
                }
            }
            Event::Uninstalled { .. } => {
                if let Some(token) = self.held().first() {
                    return Err(format!("token {token} is held, and nothing is installed"));
                }
                self.offers.push((entry.sequence, Vec::new()));
            }
            Event::StateChanged { session, state } => {
                if !self.holds(session) {
                    return Err(format!("session {session} is {state}, and holds nothing"));
                }
                self.states.push((entry.sequence, (**session).clone(), Some(*state)));
            }
            Event::Refused(_) | Event::Described { .. } | Event::ClockCorrected => {}
        }
        Ok(())
    }

    fn retained(&mut self, entry: &Entry, retained: &Arc<Retained>) -> Result<(), String> {
        let (product, session) = (retained.product, &*retained.session);
        let expected = self.lives.len() as u64 + 1;
        if retained.token.get() != expected {
            return Err(format!("token {} should be {expected}", retained.token));
        }
        let Some(offer) = self.offered(product, entry.sequence) else {
            return Err(format!("product {product} is not in the license"));
        };
        if offer.ends.is_some_and(|ends| entry.time >= ends) {
            return Err(format!("product {product} is granted after its last day"));
        }
        let used = self.in_use(product, None);
        if offer.count.is_some_and(|count| used >= count) {
            return Err(format!("product {product} is sold twice: {used} are in use"));
        }
        if self.holding(session, product).is_some() {
            return Err(format!("session {session} holds product {product} twice"));
        }
        let server = &entry.stamp.server;
        if self.served_by.get(session).is_some_and(|serving| serving != &**server) {
            return Err(format!("session {session} is served by another server"));
        }
        let served_here = self.in_use(product, Some(server));
        let counters = (retained.used_count, retained.global_used_count);
        if counters != (served_here + 1, used + 1) {
            return Err(format!("its counters are {counters:?}, with {served_here} and {used}"));
        }
        self.lives.push(Life {
            record: retained.clone(),
            time: entry.time,
            session: session.clone(),
            principal: entry.stamp.principal.clone(),
            product,
            began: entry.sequence,
            ended: None,
            cause: None,
        });
        self.served_by.insert(session.clone(), (**server).clone());
        self.note_use(product, entry.sequence);
        Ok(())
    }

    fn holds(&self, session: &SessionId) -> bool {
        self.lives.iter().any(|life| life.ended.is_none() && life.session == *session)
    }

    fn in_use(&self, product: ProductId, server: Option<&ServerName>) -> u64 {
        let here = |life: &&Life| {
            server.is_none_or(|server| self.served_by.get(&life.session) == Some(server))
        };
        let live = self.lives.iter().filter(|life| life.ended.is_none());
        live.filter(|life| life.product == product).filter(here).count() as u64
    }

    fn note_use(&mut self, product: ProductId, sequence: u64) {
        let used = self.in_use(product, None);
        self.used.entry(product).or_default().push((sequence, used));
    }
}

/// What a license offers; simulated ones have one right of each product.
fn offers(license: &License) -> Vec<Offer> {
    let products = license.info().products.iter();
    let offers = products.filter_map(|product| {
        let right = product.rights.first()?;
        let count = right.count.get();
        let count = (count != 32_767).then_some(count);
        let ends = right.expiration_date.as_ref().and_then(end_of_day);
        Some(Offer { product: product.id, count, ends })
    });
    offers.collect()
}

fn end_of_day(date: &LicenseDate) -> Option<Timestamp> {
    let next = date.to_date()?.tomorrow().ok()?;
    Some(next.to_zoned(TimeZone::UTC).ok()?.timestamp())
}
