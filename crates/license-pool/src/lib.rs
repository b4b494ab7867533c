//! Retains and releases licenses durably: the runtime around the ledger, with its log backends.
