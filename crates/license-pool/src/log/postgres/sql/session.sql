-- Sent once on every connection.
SET search_path = license;
SET client_min_messages = warning;

-- A turn that is one statement judges the rows as they are once it has their locks, whatever else the
-- database gives to transactions that do not say what they need.
SET default_transaction_isolation = 'read committed';

-- A server that stands still, or whose machine is gone, holds the others up no longer than this.
SET lock_timeout = '6s';
SET idle_in_transaction_session_timeout = '3s';
SET statement_timeout = '8s';
SET tcp_user_timeout = '15s';
SET tcp_keepalives_idle = '10s';
SET tcp_keepalives_interval = '5s';
SET tcp_keepalives_count = 3;

-- What decides whether a commit that was answered is there after a crash, and who serves this
-- connection.
SELECT current_setting('fsync', true) AS fsync,
       current_setting('synchronous_commit', true) AS synchronous_commit,
       current_setting('server_encoding', true) AS server_encoding,
       pg_backend_pid() AS process,
       (SELECT extract(epoch FROM backend_start)::text FROM pg_stat_activity
        WHERE pid = pg_backend_pid()) AS started;
