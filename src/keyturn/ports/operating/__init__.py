"""What an operator sets of a connector while it runs."""
