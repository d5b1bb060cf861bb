"""Requests that run before the token request of a login."""
