"""The connector format: its canonical form, its schema, and the small languages in it."""
