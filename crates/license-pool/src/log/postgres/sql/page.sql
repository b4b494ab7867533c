SELECT sequence, time, server, epoch, batch, principal, kind,
       product_id, product_name, token, session_id, cause, code, reason, detail, description_digest,
       chain, description, document
FROM entry WHERE ledger = $1 AND sequence > $2 ORDER BY sequence LIMIT $3::bigint
