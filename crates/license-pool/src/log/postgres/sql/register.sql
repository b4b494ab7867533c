INSERT INTO server (name, epoch, instance, beat, lease_seconds, grace_seconds, format)
VALUES ($1, 1, $2, 0, $3, $4, $5)
ON CONFLICT (name) DO UPDATE SET epoch = server.epoch + 1, instance = excluded.instance,
    lease_seconds = excluded.lease_seconds, grace_seconds = excluded.grace_seconds,
    format = excluded.format
RETURNING epoch
