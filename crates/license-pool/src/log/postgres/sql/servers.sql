-- The whole register.
SELECT name, epoch, instance, beat, lease_seconds, grace_seconds, transient, format
FROM server ORDER BY name COLLATE "C"
