-- One array a column.
INSERT INTO entry (ledger, sequence, time, server, epoch, batch, principal, kind, product_id,
                   product_name, token, session_id, cause, code, reason, detail, description_digest,
                   chain, description, document)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[],
                     $7::text[], $8::text[], $9::bigint[], $10::text[], $11::bigint[], $12::text[],
                     $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[],
                     $19::text[], $20::text[])
