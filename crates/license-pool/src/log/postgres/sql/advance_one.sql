-- A whole turn in one statement as in advance.sql, but of one ledger, and where nobody begins or ceases
-- to serve: nearly all are such, and the database has half the work with it. The update locks and
-- judges the ledger's row; what does not depend on that row is judged before, so that the order of
-- the locks is the same.
WITH own AS (
    SELECT FROM server WHERE name = $1 AND instance = $2 FOR KEY SHARE
), moved AS (
    UPDATE ledger SET sequence = $7, chain = $8
    WHERE EXISTS (SELECT FROM own)
      AND EXISTS (SELECT FROM store WHERE sealed_to IS NULL)
      AND ($3::bigint IS NULL OR ARRAY[$3] = ARRAY(SELECT DISTINCT ledger FROM license_number
                                                   WHERE installed > 0 LIMIT 2))
      AND id = $4 AND sequence = $5 AND chain = $6
    RETURNING id
), appended AS (
    INSERT INTO entry (ledger, server, epoch, batch, sequence, time, principal, kind, product_id,
                       product_name, token, session_id, cause, code, reason, detail,
                       description_digest, chain, description, document)
    SELECT id, $1, $9::bigint, $10::text,
           unnest($11::bigint[]), unnest($12::text[]), unnest($13::text[]), unnest($14::text[]),
           unnest($15::bigint[]), unnest($16::text[]), unnest($17::bigint[]), unnest($18::text[]),
           unnest($19::text[]), unnest($20::text[]), unnest($21::text[]), unnest($22::text[]),
           unnest($23::text[]), unnest($24::text[]), unnest($25::text[]), unnest($26::text[])
    FROM moved
)
SELECT EXISTS (SELECT FROM moved) AS holds, EXISTS (SELECT FROM own) AS own, store.sealed_to,
       (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS time
FROM store
