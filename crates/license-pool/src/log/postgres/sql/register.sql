INSERT INTO server (name, epoch, instance, beat, lease_seconds, grace_seconds, transient, format)
VALUES ($1, 1, $2, 0, $3, $4, $5, $6)
ON CONFLICT (name) DO UPDATE SET epoch = server.epoch + 1, instance = excluded.instance,
    beat = excluded.beat, lease_seconds = excluded.lease_seconds,
    grace_seconds = excluded.grace_seconds, transient = excluded.transient,
    format = excluded.format
RETURNING epoch
