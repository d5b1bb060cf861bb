"""Ending connections and telling providers."""
