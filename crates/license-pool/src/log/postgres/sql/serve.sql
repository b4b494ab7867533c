INSERT INTO serving (server, ledger) VALUES ($1, $2) ON CONFLICT DO NOTHING
