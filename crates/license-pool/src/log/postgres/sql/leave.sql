DELETE FROM server WHERE name = $1 AND instance = $2
