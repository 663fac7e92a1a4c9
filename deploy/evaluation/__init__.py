"""`quire eval`: engines measured on documents whose text is known."""
