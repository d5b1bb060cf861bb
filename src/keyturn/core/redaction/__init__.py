"""What no sink may show."""
