//! Which servers serve the sessions of a ledger: what the runtime must know to keep them alive.

use std::collections::BTreeSet;
use std::sync::Arc;

use license_types::ServerName;

use crate::Ledger;

impl Ledger {
    /// The servers that serve sessions which hold something, in the order of their names.
    pub fn servers(&self) -> impl Iterator<Item = &Arc<ServerName>> {
        let servers: BTreeSet<_> = self.products.values().flat_map(|p| p.used_by.keys()).collect();
        servers.into_iter()
    }
}
