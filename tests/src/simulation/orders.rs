//! Releases that name no token: they end whatever the session holds when they are first decided, also
//! what it came to hold after it had sent them, and nothing that it came to hold after that.

use license_types::{ProductId, ReleaseCause, SessionId};

use super::replies::Question;
use super::truth::Ending;
use super::world::{World, ledger_id};

/// A release without a token, while a process may carry it out.
pub(super) struct Order {
    client: Option<usize>,
    number: u64,
    ledger: usize,
    session: SessionId,
    /// Everything where none is named.
    product: Option<ProductId>,
    /// Whether the process has seen it.
    is_seen: bool,
    /// Where the ledger ended when it was decided at the latest.
    decided: Option<u64>,
}

impl Order {
    pub(super) fn new(question: &Question, product: Option<ProductId>) -> Order {
        let Question { client, number, ledger, session, .. } = question.clone();
        Order { client, number, ledger, session, product, is_seen: false, decided: None }
    }

    pub(super) fn is_of(&self, question: &Question) -> bool {
        (self.client, self.number) == (question.client, question.number)
    }

    /// The process begins a step, and sees what came.
    pub(super) fn see(&mut self) {
        self.is_seen = true;
    }

    /// The store went back: what the ledger was is a thing of the past.
    pub(super) fn forget(&mut self) {
        self.decided = Some(u64::MAX);
    }
}

impl World {
    /// A step is over: whatever the process saw in it was decided, though perhaps not answered.
    pub(super) fn note_orders(&mut self, server: usize) {
        let mut orders = std::mem::take(&mut self.servers[server].orders);
        for order in orders.iter_mut().filter(|order| order.is_seen) {
            order.decided.get_or_insert(self.end_of(order.ledger));
        }
        self.servers[server].orders = orders;
    }

    /// Whether its session asked for this end, without a token.
    pub(super) fn was_ordered(&self, ending: &Ending) -> bool {
        let history = self.truth.ledger(ending.ledger);
        let Some(life) = history.and_then(|history| history.life(ending.token)) else {
            return false;
        };
        let mut orders = self.servers.iter().flat_map(|server| &server.orders);
        ending.cause == ReleaseCause::Released
            && orders.any(|order| {
                ledger_id(order.ledger) == ending.ledger
                    && order.session == life.session
                    && order.product.is_none_or(|product| product == life.product)
                    && order.decided.is_none_or(|decided| life.began <= decided)
            })
    }
}
