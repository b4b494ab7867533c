-- The time now, in microseconds since 1970, by the one clock that all servers share.
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
