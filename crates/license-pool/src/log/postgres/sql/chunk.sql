SELECT bytes FROM snapshot WHERE ledger = $1 AND sequence = $2 AND chunk = $3
