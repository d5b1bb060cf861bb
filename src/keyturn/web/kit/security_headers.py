"""What every page tells the browser: run nothing but our own files, show it in no frame, keep and hand on nothing.

Rule 1: no page has a script or style in its text; so the policy needs no nonce and no exception.
Rule 2: names are lower case, as ASGI gives them.

Sources: the interfaces' rules for every page; OWASP ASVS 5.0, chapter 3.4; Content Security Policy Level 3.
"""

from __future__ import annotations

from typing import Final

_POLICY: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
)

OF_PAGE: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"content-security-policy", "; ".join(_POLICY).encode("ascii")),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
)

# A file whose address holds the hash of its bytes never changes.
OF_IMMUTABLE_FILE: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"cache-control", b"public, max-age=31536000, immutable"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
