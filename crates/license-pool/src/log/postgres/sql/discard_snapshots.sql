-- The end of a snapshot goes first, since without it the rest is not believed.
WITH kept AS (SELECT sequence FROM snapshot WHERE ledger = $1 AND digest IS NOT NULL
              ORDER BY sequence DESC LIMIT $2::bigint),
     doomed AS (SELECT sequence, chunk FROM snapshot
                WHERE ledger = $1 AND sequence < (SELECT max(sequence) FROM kept)
                  AND sequence NOT IN (SELECT sequence FROM kept)
                ORDER BY sequence, chunk DESC LIMIT $3::bigint)
DELETE FROM snapshot USING doomed
WHERE snapshot.ledger = $1 AND snapshot.sequence = doomed.sequence
  AND snapshot.chunk = doomed.chunk
RETURNING 1
