DELETE FROM entry
WHERE ledger = $1
  AND sequence IN (SELECT sequence FROM entry
                   WHERE ledger = $1 AND sequence <= $3::bigint
                     AND sequence < (SELECT min(sequence) FROM snapshot
                                     WHERE ledger = $1 AND digest IS NOT NULL)
                   ORDER BY sequence LIMIT $2::bigint)
RETURNING 1
