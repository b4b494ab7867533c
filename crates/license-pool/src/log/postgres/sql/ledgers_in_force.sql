-- Ledgers with the number in force; no more than one names.
SELECT id, (SELECT number FROM license_number WHERE ledger = id ORDER BY installed DESC LIMIT 1)
FROM ledger
WHERE EXISTS (SELECT FROM license_number WHERE ledger = id AND installed > 0)
ORDER BY id LIMIT 100
