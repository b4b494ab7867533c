SELECT token, milliseconds FROM silence WHERE ledger = $1 ORDER BY token
