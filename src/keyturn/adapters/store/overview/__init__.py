"""What the console's first pages read."""
