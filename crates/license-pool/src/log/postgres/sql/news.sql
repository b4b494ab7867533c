-- The entry up to which each ledger is known, some after it, and where its log ends.
SELECT sequence, time, server, epoch, batch, principal, kind,
       product_id, product_name, token, session_id, cause, code, reason, detail, description_digest,
       chain, description, document, ledger,
       (SELECT sequence FROM ledger WHERE id = news.ledger) AS ends_at
FROM unnest($1::bigint[], $2::bigint[]) AS known (id, head)
CROSS JOIN LATERAL (SELECT * FROM entry WHERE ledger = known.id AND sequence >= known.head
                    ORDER BY sequence LIMIT $3::bigint) AS news
ORDER BY ledger, sequence
