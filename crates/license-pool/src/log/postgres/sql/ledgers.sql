SELECT id, number FROM ledger LEFT JOIN license_number ON ledger = id ORDER BY id, installed
