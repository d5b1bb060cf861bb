"""Logins at providers that allow few sessions."""
