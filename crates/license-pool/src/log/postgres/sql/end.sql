SELECT sequence, chain FROM ledger WHERE id = $1
