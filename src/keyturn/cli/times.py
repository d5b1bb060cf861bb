"""Times for people: the instant in UTC, and how far away it is."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_AGO: Final = re.compile(r"([0-9]{1,6})([dhm])")
_UNIX: Final = re.compile(r"[0-9]{9,11}")
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


def instant(text: str | None, *, now: datetime | None = None) -> str | None:
    """What somebody typed, as RFC 3339: an instant, or how long ago (`30d`, `12h`, `15m`).

    Raises:
        click.UsageError: it is neither.
    """
    import click

    if text is None:
        return None
    if ago := _AGO.fullmatch(text):
        unit = {"d": "days", "h": "hours", "m": "minutes"}[ago[2]]
        try:
            return ((now or datetime.now(UTC)) - timedelta(**{unit: int(ago[1])})).isoformat(timespec="seconds")
        except OverflowError:
            raise click.UsageError("This is too long ago.") from None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError("A time is written 2030-01-31T12:00:00Z, or 30d, 12h, 15m for so long ago.") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat(timespec="microseconds")


def moment(text: str | None, *, now: datetime | None = None) -> str | None:
    """What somebody typed, as RFC 3339: an instant, or how far ahead (`30d`, `12h`, `15m`); Unix seconds as they are.

    Raises:
        click.UsageError: it is none of these.
    """
    if text is None or _UNIX.fullmatch(text):
        return text
    import click

    try:
        if ahead := _AGO.fullmatch(text):
            unit = {"d": "days", "h": "hours", "m": "minutes"}[ahead[2]]
            return ((now or datetime.now(UTC)) + timedelta(**{unit: int(ahead[1])})).isoformat(timespec="seconds")
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise click.UsageError("A time is written 2030-01-31T12:00:00Z, or 30d, 12h, 15m for so far ahead.") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat(timespec="seconds")


def distance(seconds: float) -> str:
    """How far away, in the largest unit that gives at least 2, or the next smaller one."""
    whole = round(abs(seconds))
    if whole == 0:
        return "now"
    size, unit = next((each for each in _UNITS if whole >= 2 * each[0]), _UNITS[-1])
    words = f"{whole // size} {unit}"
    return f"in {words}" if seconds > 0 else f"{words} ago"
