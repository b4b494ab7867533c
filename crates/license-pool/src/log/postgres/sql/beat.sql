-- Shows that a server lives.
UPDATE server SET beat = beat + 1 WHERE name = $1 AND instance = $2 RETURNING beat
