SELECT ledger FROM serving WHERE server = $1 ORDER BY ledger
