-- Which store took the place of this one, if any did, the time now, in microseconds since 1970, by the
-- one clock that all servers share, and the format, which a newer version may have raised.
SELECT sealed_to, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, format FROM store
