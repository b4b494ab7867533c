-- The store of the license engine, format 2.
--
-- Read it while the engine runs, for example:
--   sqlite3 -readonly license.db 'select * from held'
--   sqlite3 -readonly license.db "select * from entry where session_id = 'job-7'"
-- Write to it only through the engine: it would notice a changed line, since each line's chain value
-- hashes the one before, but nobody could put it right.

-- The store itself: one row.
CREATE TABLE store (
    format    INTEGER NOT NULL,                   -- version of this format; a newer one is refused
    sealed_to TEXT                                -- the store that took the place of this one, which
                                                  -- can only be read since then
) STRICT;
INSERT INTO store (format) VALUES (2);

-- One row for each customer's ledger, and where its log ends: a log that ends elsewhere was damaged.
CREATE TABLE ledger (
    id       INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL,                    -- of its last entry
    chain    TEXT NOT NULL                        -- of its last entry
) STRICT;

-- License numbers and the ledgers they point to. A renewed license may bear a new number and
-- continue the ledger of the old one.
CREATE TABLE license_number (
    number    TEXT PRIMARY KEY,
    ledger    INTEGER NOT NULL REFERENCES ledger (id),
    installed INTEGER NOT NULL                    -- sequence of the entry that installed it last;
                                                  -- the ledger's highest is in force; those of a
                                                  -- license that was uninstalled are negative
) STRICT, WITHOUT ROWID;
CREATE INDEX license_number_of_ledger ON license_number (ledger, installed);

-- What happened: the log, and the only truth. Lines are added, never changed, save for
-- `description`, which may be erased.
CREATE TABLE entry (
    ledger             INTEGER NOT NULL REFERENCES ledger (id),
    sequence           INTEGER NOT NULL,          -- from 1 in each ledger, without gaps
    time               TEXT NOT NULL,             -- ISO 8601, UTC, milliseconds
    server             TEXT NOT NULL,             -- who appended it; `local` is a single command
    epoch              INTEGER NOT NULL,          -- how often that name was taken; 0 for `local`
    batch              TEXT NOT NULL,             -- the turn; entries of one turn became durable together
    principal          TEXT,                      -- who asked, where callers authenticate
    kind               TEXT NOT NULL,             -- installed, uninstalled, retained, released, refused,
                                                  -- state_changed, described, moved, adopted,
                                                  -- clock_corrected
    product_id         INTEGER,                   -- four ASCII characters as a number: 808464441 is 0009
    product_name       TEXT,
    token              INTEGER,                   -- of the retention that began or ended
    session_id         TEXT,                      -- the caller's own name of the session
    cause              TEXT,                      -- why a retention ended
    code               TEXT,                      -- why a license was refused
    reason             TEXT,                      -- who or what asked for a license
    detail             TEXT,                      -- whatever else belongs to the kind, as JSON
    description_digest TEXT,                      -- SHA-256 of `description`; stays when that is erased
    chain              TEXT NOT NULL,             -- SHA-256 of the chain before and this entry
    description        TEXT,                      -- what the caller said of the session, as JSON
    document           TEXT,                      -- exact text of an installed license
    PRIMARY KEY (ledger, sequence)
) STRICT;

-- Who shares the store now; updated in place, no history.
CREATE TABLE server (
    name          TEXT PRIMARY KEY,
    epoch         INTEGER NOT NULL,               -- how often the name was taken
    instance      TEXT NOT NULL,                  -- random: tells one holder of the name from another;
                                                  -- empty once it was found dead
    beat          INTEGER NOT NULL,               -- grows while the server lives
    lease_seconds INTEGER NOT NULL,               -- its default lease
    grace_seconds INTEGER NOT NULL,               -- how long beyond a lease its silence is borne
    format        INTEGER NOT NULL,               -- newest store format that it can read
    transient     INTEGER NOT NULL DEFAULT 0      -- 1: the name was made up for one process; what it
                                                  -- serves ends with it, and nobody adopts that
) STRICT, WITHOUT ROWID;

-- Which servers serve sessions of which ledgers: where to look when one of them dies.
CREATE TABLE serving (
    server TEXT NOT NULL,
    ledger INTEGER NOT NULL REFERENCES ledger (id),
    PRIMARY KEY (server, ledger)
) STRICT, WITHOUT ROWID;

-- How long sessions have been silent, as far as a server vouches for the time: a restart pauses the
-- count and never resets it.
CREATE TABLE silence (
    ledger       INTEGER NOT NULL REFERENCES ledger (id),
    token        INTEGER NOT NULL,                -- the last one of the session
    milliseconds INTEGER NOT NULL,
    PRIMARY KEY (ledger, token)
) STRICT, WITHOUT ROWID;

-- Who may ask a server. A credential that was revoked stays, so that a store which had one is never
-- open to everybody again.
CREATE TABLE credential (
    id        TEXT PRIMARY KEY,                   -- its visible part
    digest    TEXT NOT NULL,                      -- SHA-256 of the secret, which nobody keeps
    role      TEXT NOT NULL,                      -- client, viewer, admin
    max_seats INTEGER,                            -- how many seats its sessions may hold of each license
    created   TEXT NOT NULL,
    expires   TEXT,
    revoked   TEXT
) STRICT, WITHOUT ROWID;

-- What became of each product on each day, in UTC: where capacity is planned, and what stays of the
-- history when entries are deleted. Where days in a row are all alike, one line stands for them. A
-- day on which a product was neither held nor refused has none.
CREATE TABLE figure (
    ledger                         INTEGER NOT NULL REFERENCES ledger (id),
    start                          TEXT NOT NULL,     -- the day's first instant, of several the first one's; or
                                                      -- when the clock was set back to a later one
    product_id                     INTEGER NOT NULL,
    product_name                   TEXT NOT NULL,
    days                           INTEGER NOT NULL,  -- how many days the line stands for; it is true of each
    allowed_count                  INTEGER NOT NULL,  -- at the end of the day; 32767 where unlimited
    peak_used_count                INTEGER NOT NULL,  -- the most that were in use at once
    peak_after_milliseconds        INTEGER NOT NULL,  -- when, from the start of the day
    milliseconds_with_nothing_left INTEGER NOT NULL,
    held_milliseconds              INTEGER NOT NULL,  -- over all licenses; 3600000 are a license-hour
    retained                       INTEGER NOT NULL,
    refused                        INTEGER NOT NULL,
    sessions_refused               INTEGER NOT NULL,
    true_refusals                  INTEGER NOT NULL,  -- after which the session went without
    PRIMARY KEY (ledger, start, product_id)
) STRICT, WITHOUT ROWID;

-- Whole ledgers as they were after an entry, in chunks, so that nobody must read their logs from the
-- start. Only bytes whose digest is that of all chunks are ever believed.
CREATE TABLE snapshot (
    ledger   INTEGER NOT NULL REFERENCES ledger (id),
    sequence INTEGER NOT NULL,                    -- of the last entry that it knows
    chunk    INTEGER NOT NULL,                    -- from 0
    bytes    BLOB NOT NULL,
    digest   TEXT,                                -- SHA-256 of all chunks; only the last one has it,
                                                  -- and what has none is not complete
    PRIMARY KEY (ledger, sequence, chunk)
) STRICT;

-- What is held now: retained and not released, as far back as the log reaches.
CREATE VIEW held AS
SELECT entry.ledger, number AS license_number, token, product_id, product_name, session_id, time,
       server, principal, reason, description
FROM entry
JOIN (SELECT ledger, number, max(installed) FROM license_number GROUP BY ledger)
     AS in_force USING (ledger)
WHERE kind = 'retained'
  AND (ledger, token) NOT IN (SELECT ledger, token FROM entry WHERE kind = 'released')
ORDER BY entry.ledger, token;
