-- Which store took the place of this one, if any did, and its format. Whoever seals or raises it waits
-- for this, or this for him.
SELECT sealed_to, format FROM store FOR SHARE
