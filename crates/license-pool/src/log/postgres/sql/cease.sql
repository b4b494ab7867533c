DELETE FROM serving WHERE server = $1 AND ledger = $2
