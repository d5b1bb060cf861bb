"""Looking after the data from outside a server."""
