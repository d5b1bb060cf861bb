"""People who sign in to the console."""
