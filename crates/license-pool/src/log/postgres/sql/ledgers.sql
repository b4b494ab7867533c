SELECT id, number, installed > 0
FROM ledger LEFT JOIN license_number ON ledger = id ORDER BY id, abs(installed)
