"""Sealed values: how a secret rests in a database or a file."""
