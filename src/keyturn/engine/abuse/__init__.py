"""Holding abuse back: spraying, stopped logins, rates."""
