"""What an operator does to a data directory from outside a server."""
