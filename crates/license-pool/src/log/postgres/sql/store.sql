-- Which store took the place of this one, if any did, and the time now, in microseconds since 1970,
-- by the one clock that all servers share.
SELECT sealed_to, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint FROM store
