-- Whether a server's name is still its own.
SELECT 1 FROM server WHERE name = $1 AND instance = $2
