//! What really happened: an independent reading of the log. It is written against the domain's
//! rules, not against the core: a few lists, searched and counted from scratch.

use std::collections::BTreeMap;

use jiff::Timestamp;
use license_core::{Entry, Event, Retained};
use license_pool::log::{LedgerId, Log, MemoryLog};
use license_types::{ProductId, ReleaseCause, ServerName, SessionId};

/// What the license of every simulated ledger grants of one product.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) product: ProductId,
    /// `None` where any number is allowed.
    pub(super) count: Option<u64>,
    /// The instant from which it is expired.
    pub(super) ends: Option<Timestamp>,
}

/// Every ledger as its log tells it.
pub(super) struct Truth {
    offers: Vec<Offer>,
    ledgers: BTreeMap<LedgerId, History>,
}

/// One ledger as its log tells it.
#[derive(Default)]
pub(super) struct History {
    /// How many entries were read.
    read: u64,
    last: Option<Entry>,
    /// Every retention that ever was; its token is its place, from 1.
    lives: Vec<Life>,
    /// The server that serves each session that holds something.
    served_by: BTreeMap<SessionId, ServerName>,
    /// How many of a product were in use after an entry.
    used: BTreeMap<ProductId, Vec<(u64, u64)>>,
}

/// One retention from its beginning to its end, both by the sequence of their entries.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) session: SessionId,
    pub(super) product: ProductId,
    pub(super) began: u64,
    pub(super) ended: Option<u64>,
    pub(super) cause: Option<ReleaseCause>,
}

/// A retention that ended just now, and why.
pub(super) struct Ending {
    pub(super) ledger: LedgerId,
    pub(super) token: u64,
    pub(super) cause: ReleaseCause,
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

impl Truth {
    pub(super) fn new(offers: Vec<Offer>) -> Truth {
        Truth { offers, ledgers: BTreeMap::new() }
    }

    /// Forgets everything: the store was replaced by another state of it.
    pub(super) fn forget(&mut self) {
        self.ledgers.clear();
    }

    pub(super) fn ledger(&self, id: LedgerId) -> Option<&History> {
        self.ledgers.get(&id)
    }

    /// Where each ledger ends now.
    pub(super) fn ends(&self) -> BTreeMap<LedgerId, u64> {
        self.ledgers.iter().map(|(id, history)| (*id, history.read)).collect()
    }

    /// Reads what was appended, and checks each entry; `at` judges the time of an entry.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub(super) fn read(
        &mut self,
        store: &mut MemoryLog,
        mut at: impl FnMut(&Entry) -> Result<(), String>,
    ) -> Result<Vec<Ending>, String> {
        let mut endings = Vec::new();
        for ledger in store.ledgers().map_err(|error| error.to_string())? {
            let id = ledger.ledger;
            let history = self.ledgers.entry(id).or_default();
            let news = store.page(id, history.read, usize::MAX);
            for entry in news.map_err(|error| error.to_string())? {
                let wrong = |what| format!("ledger {}, entry {}: {what}", id.0, entry.sequence);
                at(&entry).map_err(wrong)?;
                let ending = history.follow(&self.offers, &entry).map_err(wrong)?;
                endings.extend(ending.map(|(token, cause)| Ending { ledger: id, token, cause }));
            }
        }
        Ok(endings)
    }
}

impl History {
    /// How many entries there are.
    pub(super) fn end(&self) -> u64 {
        self.read
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
            self.lives.iter().filter(concerns).any(|life| {
                life.began <= sequence && life.ended.is_none_or(|ended| ended > sequence)
            })
        };
        (window.after..=window.to).any(|sequence| !held_at(sequence))
    }

    /// The most of a product that was in use at a moment of the window.
    pub(super) fn most_used(&self, product: ProductId, window: Window) -> u64 {
        let trace = self.used.get(&product).map_or(&[][..], Vec::as_slice);
        let before = trace.iter().rev().find(|(sequence, _)| *sequence <= window.after);
        let within = trace.iter().filter(|(s, _)| *s > window.after && *s <= window.to);
        before.into_iter().chain(within).map(|(_, used)| *used).max().unwrap_or(0)
    }

    /// Whether the session retained something in the window.
    pub(super) fn retained_in(&self, session: &SessionId, window: Window) -> bool {
        self.lives.iter().any(|life| life.session == *session && window.holds(life.began))
    }

    /// Whether a token was given back in the window.
    pub(super) fn released_in(&self, token: u64, window: Window) -> bool {
        let given_back = |life: &Life| life.cause == Some(ReleaseCause::Released);
        self.life(token)
            .filter(|life| given_back(life))
            .is_some_and(|life| life.ended.is_some_and(|ended| window.holds(ended)))
    }

    fn follow(
        &mut self,
        offers: &[Offer],
        entry: &Entry,
    ) -> Result<Option<(u64, ReleaseCause)>, String> {
        if entry.sequence != self.read + 1 {
            return Err(format!("its sequence should be {}", self.read + 1));
        }
        if let Some(last) = self.last.as_ref().filter(|last| last.time > entry.time) {
            return Err(format!("its time {} lies before {}", entry.time, last.time));
        }
        self.read = entry.sequence;
        let mut ending = None;
        match &entry.event {
            Event::Retained(retained) => self.retained(offers, entry, retained)?,
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
                if !self.holds(&released.session) {
                    self.served_by.remove(&released.session);
                }
                ending = Some((token, released.cause));
            }
            Event::Moved { sessions } => {
                for session in sessions {
                    if !self.holds(session) {
                        return Err(format!("session {session} moves, and holds nothing"));
                    }
                    self.served_by.insert((**session).clone(), (*entry.stamp.server).clone());
                }
            }
            Event::Adopted { from_server, .. } => {
                for server in self.served_by.values_mut() {
                    if server == &**from_server {
                        *server = (*entry.stamp.server).clone();
                    }
                }
            }
            Event::Installed(_)
            | Event::Uninstalled { .. }
            | Event::Refused(_)
            | Event::StateChanged { .. }
            | Event::Described { .. }
            | Event::ClockCorrected => {}
        }
        self.last = Some(entry.clone());
        Ok(ending)
    }

    fn retained(
        &mut self,
        offers: &[Offer],
        entry: &Entry,
        retained: &Retained,
    ) -> Result<(), String> {
        let (product, session) = (retained.product, &*retained.session);
        let expected = self.lives.len() as u64 + 1;
        if retained.token.get() != expected {
            return Err(format!("token {} should be {expected}", retained.token));
        }
        let Some(offer) = offers.iter().find(|offer| offer.product == product) else {
            return Err(format!("product {product} is not in the license"));
        };
        if offer.ends.is_some_and(|ends| entry.time >= ends) {
            return Err(format!("product {product} is granted after its last day"));
        }
        let used = self.in_use(product, None);
        if offer.count.is_some_and(|count| used >= count) {
            return Err(format!("product {product} is sold twice: {used} are in use"));
        }
        let holds = |life: &Life| {
            life.ended.is_none() && life.session == *session && life.product == product
        };
        if self.lives.iter().any(holds) {
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
            session: session.clone(),
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
