UPDATE entry SET description = NULL
WHERE ledger = $1 AND sequence = ANY ($2::bigint[]) AND description IS NOT NULL
  AND (SELECT sealed_to FROM store) IS NULL
