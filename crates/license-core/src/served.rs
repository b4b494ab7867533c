//! Which servers serve the sessions of a ledger: what the runtime must know to keep them alive.

use std::collections::BTreeSet;
use std::sync::Arc;

use license_types::ServerName;

use crate::Ledger;

/// How many retentions of a product each server serves, in the order of their names: a list, since
/// there is nearly always one server, or few.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Served(Vec<(Arc<ServerName>, u64)>);

impl Served {
    /// How many a server serves.
    pub(crate) fn by(&self, server: &Arc<ServerName>) -> u64 {
        self.place(server).map_or(0, |place| self.0[place].1)
    }

    /// A server serves so many more.
    pub(crate) fn add(&mut self, server: &Arc<ServerName>, more: u64) {
        match self.place(server) {
            Ok(place) => self.0[place].1 += more,
            Err(place) => self.0.insert(place, (server.clone(), more)),
        }
    }

    /// A server serves so many less.
    pub(crate) fn take(&mut self, server: &Arc<ServerName>, less: u64) {
        if let Ok(place) = self.place(server) {
            let served = &mut self.0[place].1;
            *served = served.saturating_sub(less);
            if *served == 0 {
                self.0.remove(place);
            }
        }
    }

    /// How many all of them serve.
    pub(crate) fn total(&self) -> u64 {
        self.0.iter().map(|(_, served)| served).sum()
    }

    fn place(&self, server: &Arc<ServerName>) -> Result<usize, usize> {
        match self.0.first() {
            // Mostly it is the only one, and need not be read.
            Some((first, _)) if Arc::ptr_eq(first, server) => Ok(0),
            _ => self.0.binary_search_by(|(name, _)| name.cmp(server)),
        }
    }
}

impl Ledger {
    /// The servers that serve sessions which hold something, in the order of their names.
    pub fn servers(&self) -> impl Iterator<Item = &Arc<ServerName>> {
        let served = self.products.values().flat_map(|product| &product.used_by.0);
        let servers: BTreeSet<_> = served.map(|(server, _)| server).collect();
        servers.into_iter()
    }
}
