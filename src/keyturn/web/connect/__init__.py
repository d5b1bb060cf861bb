"""The pages that end users see: the only zone that a password passes through."""
