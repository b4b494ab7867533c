-- Whether a server's name is still its own, and stays so until the turn ends.
SELECT 1 FROM server WHERE name = $1 AND instance = $2 FOR SHARE
