-- Notes who serves sessions of which ledgers from now on.
INSERT INTO serving (server, ledger) SELECT * FROM unnest($1::text[], $2::bigint[])
ON CONFLICT DO NOTHING
