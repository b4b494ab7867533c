-- Forgets the servers whose epoch ended and that serve nothing more.
DELETE FROM server WHERE instance = '' AND name NOT IN (SELECT server FROM serving)
