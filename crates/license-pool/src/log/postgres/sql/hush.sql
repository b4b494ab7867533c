-- Keeps how long sessions have been silent.
INSERT INTO silence (ledger, token, milliseconds)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])
ON CONFLICT (ledger, token) DO UPDATE SET milliseconds = excluded.milliseconds
