"""Headers of a caller that an API never gets: those for the broker, for one connection, or about where the caller is.

Hop-by-hop headers (RFC 9110 section 7.6.1); `Authorization`, `Cookie`, `Proxy-*`, `Keyturn-*`; `Forwarded`,
`X-Forwarded-*`, `Via` and what networks in front of a server call the client's address: the API is called by the
broker, not through it; names that make some servers serve another path or host than the one that was judged; a spelling
of any of these with underscores, which some servers take for dashes. `Host` and the framing are made anew.

Source: the security design, E5.
"""

from __future__ import annotations

from typing import Final

_NOT_SENT: Final = frozenset(
    {
        b"authorization", b"cf-connecting-ip", b"cf-connecting-ipv6", b"client-ip", b"connection", b"content-length",
        b"cookie", b"cookie2", b"expect", b"fastly-client-ip", b"forwarded", b"host", b"keep-alive", b"te", b"trailer",
        b"transfer-encoding", b"true-client-ip", b"upgrade", b"via", b"x-client-ip", b"x-cluster-client-ip",
        b"x-envoy-external-address", b"x-envoy-original-path", b"x-host", b"x-http-host-override", b"x-override-url",
        b"x-real-ip", b"x-remote-addr", b"x-remote-ip", b"x-rewrite-uri", b"x-rewrite-url",
    }
)  # fmt: skip
_PREFIXES: Final = (b"keyturn-", b"proxy-", b"x-forwarded-", b"x-original-")
# Frameworks take the method from these where they are there, whatever the request line says.
METHOD_OVERRIDES: Final = frozenset({b"x-http-method", b"x-http-method-override", b"x-method-override"})


def is_sent_on(name: bytes) -> bool:
    """Whether a caller's header goes to the API; `name` in lower case."""
    plain = name.replace(b"_", b"-")
    return plain not in _NOT_SENT and not plain.startswith(_PREFIXES)
