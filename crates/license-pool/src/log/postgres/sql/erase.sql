UPDATE entry SET description = NULL
WHERE ledger = $1 AND sequence = ANY ($2::bigint[]) AND description IS NOT NULL
