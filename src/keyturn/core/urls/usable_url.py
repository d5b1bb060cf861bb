"""Whether a text that somebody set or sent can be used as an address. Pure."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

LONGEST_URL: Final = 2_048


def usable_url(text: object, *, plain: bool) -> bool:
    """Whether this is an absolute URL without a user or a fragment; http only where `plain`."""
    if not isinstance(text, str) or len(text) > LONGEST_URL or not all("!" <= c <= "~" for c in text):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    schemes = ("https", "http") if plain else ("https",)
    return parts.scheme in schemes and bool(parts.hostname) and "@" not in parts.netloc and "#" not in text
