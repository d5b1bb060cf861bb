"""Calls through a connection."""
