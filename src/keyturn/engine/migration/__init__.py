"""Moving connections to a newer version of their connector."""
