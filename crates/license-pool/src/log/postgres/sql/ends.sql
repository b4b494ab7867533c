SELECT sequence, (SELECT max(sequence) FROM entry WHERE ledger = id) FROM ledger WHERE id = $1
