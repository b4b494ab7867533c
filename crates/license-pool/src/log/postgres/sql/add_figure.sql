-- Who tells a day again tells the same.
INSERT INTO figure (ledger, start, product_id, product_name, days, allowed_count, peak_used_count,
                    peak_after_milliseconds, milliseconds_with_nothing_left, held_milliseconds,
                    retained, refused, sessions_refused, true_refusals)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT DO NOTHING
