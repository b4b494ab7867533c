-- Whether a server's name is still its own, and stays so until the turn ends. A beat, which changes
-- no key, does not wait for this.
SELECT 1 FROM server WHERE name = $1 AND instance = $2 FOR KEY SHARE
