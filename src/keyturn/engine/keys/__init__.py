"""Wrapping keys: which there are, moving to another, and giving one up."""
