"""Numbers about the whole database, for those who watch it."""
