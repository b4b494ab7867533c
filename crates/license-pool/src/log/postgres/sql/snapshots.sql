SELECT sequence, chunk, digest FROM snapshot
WHERE ledger = $1 AND digest IS NOT NULL ORDER BY sequence DESC
