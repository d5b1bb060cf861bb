"""A host that an answer names: taken only where the connector lists it.

Rule 1: a host, or an https address of it, on the default port and with nothing behind it; all else is as if absent.
Rule 2: what it may be is the connector's list, whatever the provider says.

Source: the connector format, "Hosts".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from keyturn.core.urls.hostnames import HostError, matches_host, normalise_host


def answered_host(value: Any, allowed: Sequence[str]) -> str | None:
    """The host in normal form, None where it is none of these."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    try:
        if "://" in text:
            parts = urlsplit(text)
            bare = parts.scheme.lower() == "https" and parts.path in ("", "/") and not (parts.query or parts.fragment)
            if not bare or "@" in parts.netloc or parts.port not in (None, 443):
                return None
            text = parts.hostname or ""
        host = normalise_host(text)
    except (ValueError, HostError):
        return None
    return host if matches_host(host, allowed) else None
