-- Nothing more is written to a snapshot that is complete or of which chunks are gone.
INSERT INTO snapshot (ledger, sequence, chunk, bytes, digest)
SELECT $1, $2, $3::bigint, $4, $5
WHERE NOT EXISTS (SELECT 1 FROM snapshot
                  WHERE ledger = $1 AND sequence = $2 AND digest IS NOT NULL)
  AND $3::bigint = (SELECT count(*) FROM snapshot
                    WHERE ledger = $1 AND sequence = $2 AND chunk < $3::bigint)
ON CONFLICT (ledger, sequence, chunk)
DO UPDATE SET bytes = excluded.bytes, digest = excluded.digest
