"""Renewing, whatever happens."""
