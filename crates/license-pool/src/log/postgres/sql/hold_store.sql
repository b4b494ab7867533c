-- Which store took the place of this one, if any did, and its format. Whoever seals or raises it, and
-- this, wait for each other.
SELECT sealed_to, format FROM store FOR SHARE
