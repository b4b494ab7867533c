-- Ends the connection of ours that this process of the server serves, if it still does, and waits for
-- that: what was sent on it took place before or never does.
SELECT pg_terminate_backend(pid, 5000) AS ended FROM pg_stat_activity
WHERE pid = $1 AND extract(epoch FROM backend_start)::text = $2
