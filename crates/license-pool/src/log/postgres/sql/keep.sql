-- Nothing more is written to a store that another took the place of.
INSERT INTO snapshot (ledger, sequence, chunk, bytes, digest)
SELECT $1, $2, $3, $4, $5 FROM store WHERE sealed_to IS NULL
ON CONFLICT (ledger, sequence, chunk)
DO UPDATE SET bytes = excluded.bytes, digest = excluded.digest
