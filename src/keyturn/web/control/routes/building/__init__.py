"""Trials of connectors that are being written."""
