-- A whole turn in one statement, which is a transaction of its own: entries that were decided before
-- anybody looked are appended if every ledger asked for still ends where it was known to end, the
-- only license is still the one that was taken for it, the server's name is its own and the store is
-- in use. Otherwise nothing is written, and the answer says why. The locks are those of a turn that
-- looks first, in the same order; who got a lock after a wait judges the row as it is by then.
WITH own AS (
    SELECT FROM server WHERE name = $1 AND instance = $2 FOR KEY SHARE
), locked AS (
    SELECT id, head.sequence, head.chain
    FROM unnest($4::bigint[], $5::bigint[], $6::text[], $7::bigint[], $8::text[])
        AS head (ledger, known_sequence, known_chain, sequence, chain)
    JOIN ledger ON ledger.id = head.ledger
    WHERE EXISTS (SELECT FROM own)
      AND EXISTS (SELECT FROM store WHERE sealed_to IS NULL)
      AND ($3::bigint IS NULL OR ARRAY[$3] = ARRAY(SELECT DISTINCT ledger FROM license_number
                                                   WHERE installed > 0 LIMIT 2))
      AND ledger.sequence = known_sequence AND ledger.chain = known_chain
    ORDER BY id
    FOR NO KEY UPDATE OF ledger
), judged AS (
    SELECT (SELECT count(*) FROM locked) = cardinality($4) AS holds
), moved AS (
    UPDATE ledger SET sequence = locked.sequence, chain = locked.chain
    FROM locked, judged
    WHERE ledger.id = locked.id AND ledger.sequence <> locked.sequence AND judged.holds
), begun AS (
    INSERT INTO serving (server, ledger)
    SELECT begun.* FROM unnest($9::text[], $10::bigint[]) AS begun, judged WHERE judged.holds
    ON CONFLICT DO NOTHING
), ceased AS (
    DELETE FROM serving USING unnest($11::text[], $12::bigint[]) AS ceased (server, ledger), judged
    WHERE serving.server = ceased.server AND serving.ledger = ceased.ledger AND judged.holds
), appended AS (
    INSERT INTO entry (ledger, sequence, time, server, epoch, batch, principal, kind, product_id,
                       product_name, token, session_id, cause, code, reason, detail,
                       description_digest, chain, description, document)
    SELECT unnest($13::bigint[]), unnest($14::bigint[]), unnest($15::text[]), unnest($16::text[]),
           unnest($17::bigint[]), unnest($18::text[]), unnest($19::text[]), unnest($20::text[]),
           unnest($21::bigint[]), unnest($22::text[]), unnest($23::bigint[]), unnest($24::text[]),
           unnest($25::text[]), unnest($26::text[]), unnest($27::text[]), unnest($28::text[]),
           unnest($29::text[]), unnest($30::text[]), unnest($31::text[]), unnest($32::text[])
    FROM judged
    WHERE judged.holds
)
SELECT holds, EXISTS (SELECT FROM own) AS own, store.sealed_to,
       (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS time
FROM judged, store
