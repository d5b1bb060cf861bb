"""Who may come in: people of the console."""
