"""Proxy, token endpoint and forward-auth: the zone that holds bearer tokens."""
