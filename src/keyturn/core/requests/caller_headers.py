"""Headers of a caller that an API never gets: those for the broker, for one connection, or about where the caller is.

Hop-by-hop headers (RFC 9110 section 7.6.1); `Authorization`, `Cookie`, `Proxy-*`, `Keyturn-*`; `Forwarded`,
`X-Forwarded-*`, `X-Real-IP`, `Via`: the API is called by the broker, not through it; names that make some servers serve
another path than the one that was judged; a spelling of any of these with underscores, which some servers take for
dashes. `Host` and the framing are made anew. A test holds this against the proxy's own reading of a head.
"""

from __future__ import annotations

from typing import Final

_NOT_SENT: Final = frozenset(
    {
        b"authorization", b"connection", b"content-length", b"cookie", b"cookie2", b"expect", b"forwarded", b"host",
        b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"via", b"x-http-host-override",
        b"x-original-host", b"x-original-uri", b"x-original-url", b"x-real-ip", b"x-rewrite-url",
    }
)  # fmt: skip
_PREFIXES: Final = (b"keyturn-", b"proxy-", b"x-forwarded-")
# Frameworks take the method from these where they are there, whatever the request line says.
METHOD_OVERRIDES: Final = frozenset({b"x-http-method", b"x-http-method-override", b"x-method-override"})


def is_sent_on(name: bytes) -> bool:
    """Whether a caller's header goes to the API; `name` in lower case."""
    plain = name.replace(b"_", b"-")
    return plain not in _NOT_SENT and not plain.startswith(_PREFIXES)
