-- Nothing may cut a commit short: it would have happened without an answer.
SET LOCAL statement_timeout = 0
