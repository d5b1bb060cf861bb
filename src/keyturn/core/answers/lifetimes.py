"""How long something lives, out of the many ways in which providers say it.

Rule 1: what cannot be read is as if absent, never an error: a lifetime is advice (RFC 6749 §5.1).
Rule 2: instants are Unix seconds, `now` is a parameter.
Rule 3: over 100 years, or at or before the epoch, is unbelievable and as if absent.

Sources: the token-response contract, "Lifetime"; RFC 9110 §5.6.7 (dates); RFC 6265 §5.1.1 (cookie dates).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any, Final

from keyturn.core.answers.answer_body import MAX_BODY_BYTES, parse_json
from keyturn.core.connector import ExpiryUnit

LONGEST_S: Final = 100 * 365.25 * 86_400
# A bare `expires` below this (September 2001 as an instant, 31 years as a span) can only be a span.
_SMALL_S: Final = 1_000_000_000
_LARGEST: Final = 1e30

_NUMBER: Final = re.compile(r"[0-9]{1,300}(?:\.[0-9]{1,300})?")
_BLANKS: Final = " \t\r\n"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS: Final = {
    name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)
}
_CLOCK: Final = r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_DATES: Final = (
    # IMF-fixdate and RFC 850's, also with the hyphens that cookies have
    re.compile(
        r"(?:[A-Za-z]{3,9},?[ ]+)?(?P<day>[0-9]{1,2})[ -](?P<month>[A-Za-z]{3})[ -](?P<year>[0-9]{4}|[0-9]{2})"
        rf"[ ]+{_CLOCK}(?:[ ]*(?P<zone>GMT|UTC?|Z|[+-][0-9]{{4}}))?",
        re.IGNORECASE,
    ),
    # asctime's
    re.compile(
        rf"[A-Za-z]{{3}}[ ]+(?P<month>[A-Za-z]{{3}})[ ]+(?P<day>[0-9]{{1,2}})[ ]+{_CLOCK}[ ]+(?P<year>[0-9]{{4}})"
        r"(?P<zone>)",
        re.IGNORECASE,
    ),
)
# Any character between date and time is good enough for the library, which is too kind.
_ISO: Final = re.compile(r"[0-9W-]{8,10}(?:[T ][0-9:.,]+(?:Z|[+-][0-9:]+)?)?")
_JWT_PART: Final = re.compile(r"([A-Za-z0-9_-]+)={0,2}")
_MAX_JWT_CHARS: Final = MAX_BODY_BYTES


def read_number(value: object) -> float | None:
    """Read a number, or a text of ASCII digits with an optional fraction, blanks around it allowed; never negative."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip(_BLANKS)
        return float(text) if _NUMBER.fullmatch(text) else None
    if isinstance(value, int | float) and 0 <= value <= _LARGEST:  # NaN is not
        return float(value)
    return None


def says_no_end(value: object) -> bool:
    """Whether a lifetime is 0 or less, by which providers say that something does not end."""
    if isinstance(value, str):
        text = value.strip(_BLANKS)
        return read_number(text.removeprefix("-")) is not None and (text.startswith("-") or read_number(text) == 0)
    return isinstance(value, int | float) and not isinstance(value, bool) and value <= 0


def parse_http_date(text: object) -> float | None:
    """Read an HTTP or cookie date as Unix seconds; without a zone it is UTC. A two-digit year is 1970 to 2069."""
    if not isinstance(text, str) or len(text) > 64:
        return None
    for form in _DATES:
        found = form.fullmatch(text.strip(_BLANKS))
        if found is not None:
            return _instant(found)
    return None


def expiry(value: object, unit: ExpiryUnit, *, now: float) -> float | None:
    """Return the instant that `value` means in this unit, None where it is unreadable or unbelievable.

    Args:
        value: what stands in the answer at the place of the lifetime.
        unit: how to read it; spans count from `now`.
        now: Unix seconds, when the answer was received.
    """
    found = _READERS[unit](value, now)
    if found is None or found <= 0 or round(found - now, 3) > LONGEST_S:  # a sum of floats is a little off
        return None
    return found


def usual_expiry(members: Mapping[str, Any], *, now: float) -> float | None:
    """Look at `expires_in`, then `expires_at`, then `expires` (a small one is a span); the first readable counts."""
    found = expiry(members.get("expires_in"), ExpiryUnit.SECONDS, now=now)
    if found is None:
        found = expiry(members.get("expires_at"), ExpiryUnit.ABSOLUTE_SECONDS, now=now)
    if found is None:
        value = read_number(members.get("expires"))
        small = value is not None and value < _SMALL_S
        found = expiry(value, ExpiryUnit.SECONDS if small else ExpiryUnit.ABSOLUTE_SECONDS, now=now)
    return found


def wait_s(value: object, *, now: float) -> float | None:
    """Read a `Retry-After`: seconds, or a date, of which one that has passed means 0.

    Source: RFC 9110 §10.2.3.
    """
    seconds = read_number(value) if isinstance(value, str) else None
    if seconds is None:
        instant = parse_http_date(value)
        seconds = None if instant is None else max(0.0, instant - now)
    return seconds if seconds is not None and seconds <= LONGEST_S else None


def _span(factor: float) -> Callable[[object, float], float | None]:
    def read(value: object, now: float) -> float | None:
        number = read_number(value)
        return None if number is None else now + number * factor

    return read


def _moment(factor: float) -> Callable[[object, float], float | None]:
    def read(value: object, _now: float) -> float | None:
        number = read_number(value)
        return None if number is None else number * factor

    return read


def _iso8601(value: object, _now: float) -> float | None:
    if not isinstance(value, str) or len(value) > 64:
        return None
    try:
        text = value.strip(_BLANKS).upper()
        found = datetime.fromisoformat(text if _ISO.fullmatch(text) else "")
        return ((found if found.tzinfo is not None else found.replace(tzinfo=UTC)) - _EPOCH).total_seconds()
    except (ValueError, OverflowError):
        return None


def _jwt_exp(value: object, _now: float) -> float | None:
    parts = value.split(".") if isinstance(value, str) and len(value) <= _MAX_JWT_CHARS else []
    payload = _JWT_PART.fullmatch(parts[1]) if len(parts) == 3 else None
    if payload is None:
        return None
    text = payload.group(1)
    try:
        claims = parse_json(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode())
    except (ValueError, binascii.Error):
        return None
    return read_number(claims.get("exp")) if isinstance(claims, dict) else None


_READERS: Final[Mapping[ExpiryUnit, Callable[[object, float], float | None]]] = MappingProxyType(
    {
        ExpiryUnit.SECONDS: _span(1),
        ExpiryUnit.MILLISECONDS: _span(0.001),
        ExpiryUnit.MINUTES: _span(60),
        ExpiryUnit.ABSOLUTE_SECONDS: _moment(1),
        ExpiryUnit.ABSOLUTE_MILLISECONDS: _moment(0.001),
        ExpiryUnit.ISO8601: _iso8601,
        ExpiryUnit.HTTP_DATE: lambda value, _now: parse_http_date(value),
        ExpiryUnit.JWT_EXP: _jwt_exp,
    }
)


def _instant(found: re.Match[str]) -> float | None:
    month = _MONTHS.get(found["month"].lower())
    if month is None:
        return None
    year = int(found["year"])
    if len(found["year"]) == 2:
        year += 1900 if year >= 70 else 2000
    try:
        clock = int(found["hour"]), int(found["minute"]), int(found["second"])
        return (datetime(year, month, int(found["day"]), *clock, tzinfo=_zone(found["zone"])) - _EPOCH).total_seconds()
    except (ValueError, OverflowError):
        return None


def _zone(text: str | None) -> timezone:
    if not text or text[0] not in "+-":
        return UTC
    ahead = timedelta(hours=int(text[1:3]), minutes=int(text[3:]))
    return timezone(-ahead if text[0] == "-" else ahead)
