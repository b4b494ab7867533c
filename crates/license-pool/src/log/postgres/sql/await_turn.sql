-- Waits until a turn that may still be under way has ended.
SELECT id FROM ledger WHERE id = $1 FOR UPDATE
