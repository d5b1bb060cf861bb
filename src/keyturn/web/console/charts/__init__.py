"""Pictures of the console, drawn on the server."""
