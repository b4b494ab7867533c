SELECT sequence, time, server, epoch, batch, principal, kind,
       product_id, product_name, token, session_id, cause, code, reason, detail, description_digest,
       chain, description, document
FROM entry
WHERE ledger = $1 AND sequence > $2
  AND sequence < $3 + (SELECT min(sequence) FROM entry WHERE ledger = $1 AND sequence > $2)
  AND ($4::text IS NULL OR time COLLATE "C" >= $4) AND ($5::text IS NULL OR time COLLATE "C" < $5)
  AND ($6::bigint IS NULL OR product_id = $6)
  AND ($7::text IS NULL OR session_id = $7 OR kind = 'moved')
  AND ($8::text[] IS NULL OR kind = ANY ($8))
ORDER BY sequence LIMIT $9::bigint
