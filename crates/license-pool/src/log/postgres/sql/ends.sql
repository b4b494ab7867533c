SELECT sequence,
       (SELECT max(sequence) FROM entry WHERE ledger = id),
       (SELECT min(sequence) FROM entry WHERE ledger = id AND sequence > $2)
FROM ledger WHERE id = $1
