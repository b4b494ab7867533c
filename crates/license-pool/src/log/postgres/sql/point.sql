-- A number never points to another ledger than it did.
INSERT INTO license_number (number, ledger, installed) VALUES ($1, $2, $3)
ON CONFLICT (number) DO UPDATE SET installed = excluded.installed
WHERE license_number.ledger = excluded.ledger
RETURNING number
