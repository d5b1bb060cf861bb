"""Where a person may be sent back to, and which window may be told how it ended. Pure."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def origin_of(url: str) -> str:
    """The origin of a URL that is allowed, as browsers write it."""
    parts = urlsplit(url)
    usual = {"https": 443, "http": 80}[parts.scheme]
    host = (parts.hostname or "").lower()
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{parts.port}" if parts.port not in (None, usual) else "")


def origin_allowed(origin: str) -> bool:
    """A scheme, a host and perhaps a port, as browsers write an origin: lower case, and no port that goes unsaid."""
    if not return_url_allowed(origin) or origin != origin.lower():
        return False
    parts = urlsplit(origin)
    usual = {"https": 443, "http": 80}[parts.scheme]
    return origin == f"{parts.scheme}://{parts.netloc}" and parts.port != usual and not parts.netloc.endswith(":")


def return_url_allowed(url: str) -> bool:
    """https anywhere, http on loopback; no fragment, no credentials, no odd characters."""
    if len(url) > 2048 or any(c <= " " or c == "\\" or c > "~" for c in url):
        return False
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return False
    safe = parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)
    return bool(safe and host and "@" not in parts.netloc and not parts.fragment)
