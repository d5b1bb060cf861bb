"""Who signs in to the console, and how."""
