//! Counts everything again from the retentions alone, as tests and a loaded snapshot do.

use std::{collections::BTreeMap, ptr, sync::Arc};

use license_types::{Principal, ProductId, SessionId, Token};

use crate::{Breach, Fault, Ledger, served::Served, session::Live};

impl Ledger {
    /// Recounts in full what [`apply`](Self::apply) keeps up entry by entry.
    ///
    /// # Errors
    /// [`Breach::Recount`], with the sequence of the last entry, when a count is off.
    pub fn recount(&self) -> Result<(), Fault> {
        let breach = |what| Err(Fault::new(self.head.sequence, Breach::Recount { what }));
        let mut used_by: BTreeMap<ProductId, Served> = BTreeMap::new();
        let mut seats: BTreeMap<Arc<Principal>, u64> = BTreeMap::new();
        let mut held: BTreeMap<&Arc<SessionId>, Vec<(ProductId, Token)>> = BTreeMap::new();
        for live @ Live { record, principal, .. } in self.retentions.values() {
            let of_id = self.holding(&record.session).map(|holding| holding.session);
            let Some(session) = self.retentions.session_of(live) else {
                return breach("the sessions");
            };
            if !of_id.is_some_and(|of_id| ptr::eq(of_id, session)) {
                return breach("the sessions");
            }
            used_by.entry(record.product).or_default().add(&session.server, 1);
            if let Some(principal) = principal {
                *seats.entry(principal.clone()).or_default() += 1;
            }
            held.entry(&record.session).or_default().push((record.product, record.token));
        }
        if self.retentions.values().any(|live| live.record.token.get() > self.last_token) {
            return breach("the tokens");
        }
        let same = |(id, held): (&Arc<SessionId>, Vec<_>)| {
            self.holding(id).is_some_and(|holding| holding.held().eq(held))
        };
        if held.len() != self.sessions.len() || !held.into_iter().all(same) {
            return breach("the sessions");
        }
        for (id, product) in &self.products {
            let counted = used_by.remove(id).unwrap_or_default();
            if product.used != counted.total() || product.used_by != counted {
                return breach("the counts of a product");
            }
        }
        if !used_by.is_empty() {
            return breach("the products");
        }
        if seats != self.seats {
            return breach("the seats of a principal");
        }
        Ok(())
    }
}
