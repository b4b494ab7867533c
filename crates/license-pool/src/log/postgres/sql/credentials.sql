SELECT id, digest, role, max_seats, created, expires, revoked FROM credential ORDER BY created, id
