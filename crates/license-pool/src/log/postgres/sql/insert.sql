-- One array a column; one without any value may be empty. Side by side in the list they are taken row
-- by row, where a table made of them would be put together first.
INSERT INTO entry (ledger, sequence, time, server, epoch, batch, principal, kind, product_id,
                   product_name, token, session_id, cause, code, reason, detail, description_digest,
                   chain, description, document)
SELECT unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::text[]), unnest($4::text[]),
       unnest($5::bigint[]), unnest($6::text[]), unnest($7::text[]), unnest($8::text[]),
       unnest($9::bigint[]), unnest($10::text[]), unnest($11::bigint[]), unnest($12::text[]),
       unnest($13::text[]), unnest($14::text[]), unnest($15::text[]), unnest($16::text[]),
       unnest($17::text[]), unnest($18::text[]), unnest($19::text[]), unnest($20::text[])
