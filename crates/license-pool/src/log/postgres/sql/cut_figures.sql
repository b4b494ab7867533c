-- Takes it back where one line stands for days before and after that; such a one begins at a midnight.
UPDATE figure
SET days = EXTRACT(EPOCH FROM $2::text::timestamptz - start::timestamptz)::bigint / 86400
WHERE ledger = $1 AND days > EXTRACT(EPOCH FROM $2::text::timestamptz - start::timestamptz) / 86400
  AND days > 1
