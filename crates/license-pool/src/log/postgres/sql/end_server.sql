-- Ends the epoch of a server that is as it was found.
UPDATE server SET instance = ''
WHERE name = $1 AND epoch = $2 AND instance = $3 AND beat = $4 RETURNING 1
