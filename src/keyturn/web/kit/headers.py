"""Header names that mean something between neighbours, and the headers that our own answers carry.

Rule 1: names are lower case, as ASGI gives them.

Sources: RFC 9110 section 7.6.1 (hop-by-hop); OWASP ASVS 5.0, chapter 3.4 (headers of an API).
"""

from __future__ import annotations

from typing import Final

Headers = list[tuple[bytes, bytes]]

# Belong to one connection, not to the message; `proxy-connection` is nobody's standard and still sent.
HOP_BY_HOP: Final = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)

# What nearly each `Connection` says; it names no header that HOP_BY_HOP has not got.
PLAIN_CONNECTION: Final = frozenset((b"keep-alive", b"close", b"Keep-Alive", b"Close"))

# On each answer that is ours and no page: it is data, for one reader, and no browser shall make more of it.
OF_DATA: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


def named_by_connection(values: list[bytes]) -> frozenset[bytes]:
    """The header names that `Connection` declares to be hop-by-hop; `values` are its field lines."""
    return frozenset(name.strip().lower() for value in values for name in value.split(b","))
