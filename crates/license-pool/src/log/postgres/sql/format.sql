SELECT format FROM store
