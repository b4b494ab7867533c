SELECT sequence FROM ledger WHERE id = $1
