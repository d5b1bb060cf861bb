"""Times for people: the instant in UTC, and how far away it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def when(text: object, *, now: datetime | None = None) -> str:
    """An instant of an answer (RFC 3339) as `2030-01-31 12:00:00Z (in 5 min)`; a dash where there is none."""
    if not isinstance(text, str) or not text:
        return "–"
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    if at.tzinfo is None:
        return text
    at = at.astimezone(UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}Z ({distance((at - (now or datetime.now(UTC))).total_seconds())})"


def distance(seconds: float) -> str:
    """How far away, in the largest unit that gives at least 2, or the next smaller one."""
    whole = round(abs(seconds))
    if whole == 0:
        return "now"
    size, unit = next((each for each in _UNITS if whole >= 2 * each[0]), _UNITS[-1])
    words = f"{whole // size} {unit}"
    return f"in {words}" if seconds > 0 else f"{words} ago"
