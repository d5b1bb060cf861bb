"""What holds abuse back, in the database."""
