-- The license was uninstalled: its numbers still point to the ledger, and none is in force.
UPDATE license_number SET installed = -abs(installed) WHERE ledger = $1
