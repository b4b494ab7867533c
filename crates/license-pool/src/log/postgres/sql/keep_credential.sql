INSERT INTO credential (id, digest, role, max_seats, created, expires, revoked)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO UPDATE SET expires = excluded.expires, revoked = excluded.revoked
