"""Building requests to providers."""
