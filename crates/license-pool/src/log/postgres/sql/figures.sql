-- Figures of days that begin before an instant, written as the column is.
SELECT start, product_id, product_name, days, allowed_count, peak_used_count,
       peak_after_milliseconds, milliseconds_with_nothing_left, held_milliseconds, retained,
       refused, sessions_refused, true_refusals
FROM figure WHERE ledger = $1 AND start < $2 ORDER BY start, product_id
