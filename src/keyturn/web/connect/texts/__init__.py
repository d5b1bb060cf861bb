"""What the connect page says, a table for each language, and how values are put in."""
