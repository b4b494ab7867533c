-- Where each log ends now.
UPDATE ledger SET sequence = head.sequence, chain = head.chain
FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS head (id, sequence, chain)
WHERE ledger.id = head.id
