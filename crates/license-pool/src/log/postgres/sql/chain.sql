SELECT chain FROM entry WHERE ledger = $1 AND sequence = $2
