-- Which store took the place of this one, if any did.
SELECT sealed_to FROM store
