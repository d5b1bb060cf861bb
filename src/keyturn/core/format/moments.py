"""A time as callers and addresses give it: RFC 3339 with its zone, or Unix seconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_UNIX: Final = re.compile(r"\d{1,11}(\.\d{1,9})?")


def instant_of(text: str) -> datetime | None:
    """RFC 3339 only, in UTC: a number or a date alone could mean many things; None where it is none."""
    if not _INSTANT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def moment_of(text: str) -> float | None:
    """Unix seconds, given as such or as RFC 3339; None where it is neither."""
    if _UNIX.fullmatch(text):
        return float(text)
    found = instant_of(text)
    return None if found is None else found.timestamp()
