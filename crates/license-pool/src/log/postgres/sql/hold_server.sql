-- Waits until no turn relies on who holds a name.
SELECT 1 FROM server WHERE name = $1 FOR UPDATE
