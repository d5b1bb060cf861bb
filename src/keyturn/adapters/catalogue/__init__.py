"""Connector files: YAML text to documents, and the text that a new file begins with."""
