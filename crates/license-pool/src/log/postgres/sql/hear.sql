-- Forgets the silence of sessions that were heard.
DELETE FROM silence USING unnest($1::bigint[], $2::bigint[]) AS heard (ledger, token)
WHERE silence.ledger = heard.ledger AND silence.token = heard.token
