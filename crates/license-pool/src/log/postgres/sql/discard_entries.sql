WITH first AS (SELECT sequence, time FROM entry
               WHERE ledger = $1 AND sequence < (SELECT min(sequence) FROM snapshot
                                                 WHERE ledger = $1 AND digest IS NOT NULL)
                 AND (SELECT sealed_to FROM store) IS NULL
               ORDER BY sequence LIMIT $2::bigint)
DELETE FROM entry
WHERE ledger = $1 AND sequence IN (SELECT sequence FROM first)
  AND sequence < COALESCE((SELECT min(sequence) FROM first WHERE time COLLATE "C" >= $3),
                          9223372036854775807)
RETURNING 1
