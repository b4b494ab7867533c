-- Nothing where another store took the place of this one: whoever seals it waits for this row, or
-- this for him.
WITH open AS (SELECT 1 FROM store WHERE sealed_to IS NULL FOR SHARE)
INSERT INTO credential (id, digest, role, max_seats, created, expires, revoked)
SELECT $1, $2, $3, $4, $5, $6, $7 FROM open
ON CONFLICT (id) DO UPDATE SET expires = excluded.expires, revoked = excluded.revoked
RETURNING 1
