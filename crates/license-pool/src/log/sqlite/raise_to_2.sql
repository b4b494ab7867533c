-- From format 1 to format 2.

-- Whoever still runs on format 1 is fenced by this: it looks for its instance before every turn.
-- Names and epochs stay, so that what they held can be adopted.
ALTER TABLE server ADD COLUMN transient INTEGER NOT NULL DEFAULT 0;
UPDATE server SET instance = '', transient = name GLOB 'pool-[0-9]*-[0-9a-f]*';

CREATE TABLE serving (
    server TEXT NOT NULL,
    ledger INTEGER NOT NULL REFERENCES ledger (id),
    PRIMARY KEY (server, ledger)
) STRICT, WITHOUT ROWID;

CREATE TABLE silence (
    ledger       INTEGER NOT NULL REFERENCES ledger (id),
    token        INTEGER NOT NULL,
    milliseconds INTEGER NOT NULL,
    PRIMARY KEY (ledger, token)
) STRICT, WITHOUT ROWID;

ALTER TABLE store ADD COLUMN sealed_to TEXT;

CREATE TABLE credential (
    id        TEXT PRIMARY KEY,
    digest    TEXT NOT NULL,
    role      TEXT NOT NULL,
    max_seats INTEGER,
    created   TEXT NOT NULL,
    expires   TEXT,
    revoked   TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE figure (
    ledger                         INTEGER NOT NULL REFERENCES ledger (id),
    start                          TEXT NOT NULL,
    product_id                     INTEGER NOT NULL,
    product_name                   TEXT NOT NULL,
    days                           INTEGER NOT NULL,
    allowed_count                  INTEGER NOT NULL,
    peak_used_count                INTEGER NOT NULL,
    peak_after_milliseconds        INTEGER NOT NULL,
    milliseconds_with_nothing_left INTEGER NOT NULL,
    held_milliseconds              INTEGER NOT NULL,
    retained                       INTEGER NOT NULL,
    refused                        INTEGER NOT NULL,
    sessions_refused               INTEGER NOT NULL,
    true_refusals                  INTEGER NOT NULL,
    PRIMARY KEY (ledger, start, product_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshot (
    ledger   INTEGER NOT NULL REFERENCES ledger (id),
    sequence INTEGER NOT NULL,
    chunk    INTEGER NOT NULL,
    bytes    BLOB NOT NULL,
    digest   TEXT,
    PRIMARY KEY (ledger, sequence, chunk)
) STRICT;

UPDATE store SET format = 2;
