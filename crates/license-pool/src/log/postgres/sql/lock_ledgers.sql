-- Takes the turn of every ledger asked for, always in the same order, so that no two wait for each
-- other. The statements after this one see all that was committed before it got the last lock.
SELECT id FROM ledger
WHERE id = ANY (ARRAY(SELECT ledger FROM license_number WHERE number = ANY ($1::text[])
                      UNION ALL
                      SELECT min(ledger)
                      FROM (SELECT DISTINCT ledger FROM license_number WHERE installed > 0
                            LIMIT 2) AS few
                      WHERE $2::boolean HAVING count(*) = 1))
ORDER BY id
FOR UPDATE
