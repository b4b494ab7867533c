-- The same, for a turn that added a ledger.
SELECT 1 FROM store FOR UPDATE
