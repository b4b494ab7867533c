-- Which transactions can be seen: as long as this stays the same, nothing was written by anybody.
SELECT pg_current_snapshot()::text
