-- Takes back what was told of days from a midnight on: the clock was set back.
DELETE FROM figure WHERE ledger = $1 AND start >= $2
