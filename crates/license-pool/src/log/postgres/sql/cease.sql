-- Notes who serves no sessions of which ledgers any more.
DELETE FROM serving USING unnest($1::text[], $2::bigint[]) AS ceased (server, ledger)
WHERE serving.server = ceased.server AND serving.ledger = ceased.ledger
