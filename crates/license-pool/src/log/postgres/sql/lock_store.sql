-- Who asks for a license that is not there may add it: one after the other, so that none is added
-- twice.
SELECT 1 FROM store
WHERE EXISTS (SELECT 1 FROM unnest($1::text[]) AS asked (number)
              WHERE NOT EXISTS (SELECT 1 FROM license_number AS point
                                WHERE point.number = asked.number))
   OR ($2::boolean AND NOT EXISTS (SELECT 1 FROM license_number WHERE installed > 0))
FOR UPDATE
