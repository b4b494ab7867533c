SELECT number, ledger FROM license_number WHERE number = ANY ($1::text[])
