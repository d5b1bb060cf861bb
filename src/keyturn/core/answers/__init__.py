"""Reading what providers answer."""
