"""What a connector says to people."""
