"""Times in which a provider is left alone: which they are, when the next is over, and where a renewal goes instead.

Rule 1: whatever the clock on the provider's wall shows within a window is quiet. Where its clock leaps over an end of
a window, that end is where the leap is, or as long after it as was left; where it shows an end twice, the window goes
from the first time to the last.
Rule 2: windows that touch are one. What is quiet has an end: an hour of each week is left free.
Rule 3: what can't wait is not made to wait (`placed` gives its time back unchanged).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final

from keyturn.core.errors import Finding, ValidationFailed

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_WINDOWS: Final = 16
FREE_MINUTES: Final = 60  # of a week, at the least
SPREAD_SHARE: Final = 0.25  # of the quiet time
SPREAD_MIN_S: Final = 300.0
SPREAD_MAX_S: Final = 3600.0
MARGIN_S: Final = 60.0  # a send takes up to half of it; a token that outlives the window by less ends in it
_DAY_MINUTES: Final = 1440
_DAY_S: Final = 86_400.0
_AROUND_DAYS: Final = 9  # no quiet time is longer than a week
_TIME: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_ZONE: Final = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")


@dataclass(frozen=True, slots=True)
class Window:
    """A time of day. `begins`, `ends`: minutes after midnight; an end at or before the begin is on the next day.

    `days`: on which it begins, 0 is Monday.
    """

    begins: int
    ends: int
    days: frozenset[int] = frozenset(range(7))

    @property
    def minutes(self) -> int:
        """How long it is, where no clock is changed."""
        return self.ends - self.begins if self.ends > self.begins else self.ends + _DAY_MINUTES - self.begins

    def document(self) -> dict[str, Any]:
        """As plain JSON."""
        days = [DAYS[day] for day in sorted(self.days)]
        return {"from": _text(self.begins), "to": _text(self.ends), "days": days}


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A connector's quiet hours. `zone`: the name of the time zone. `strict`: calls cause no renewal either."""

    zone: str
    windows: tuple[Window, ...]
    strict: bool = False

    def document(self) -> dict[str, Any]:
        """As plain JSON, which `read_quiet_hours` reads."""
        return {"zone": self.zone, "strict": self.strict, "windows": [each.document() for each in self.windows]}

    def words(self) -> str:
        """For people: `02:00-04:00, mon tue 22:00-06:00 (Europe/Berlin)`."""
        windows = ", ".join(_words(each) for each in self.windows)
        return f"{windows} ({self.zone}{', strict' if self.strict else ''})"


@dataclass(frozen=True, slots=True)
class Span:
    """A quiet time: from `begins` to before `ends`, Unix seconds."""

    begins: float
    ends: float


def read_quiet_hours(given: dict[str, Any]) -> QuietHours:
    """Read plain JSON: `zone`, `windows` with `from`, `to` and maybe `days`, and maybe `strict`.

    Whether there is such a zone is not looked at.

    Raises:
        ValidationFailed: every error at once.
    """
    errors: list[Finding] = []
    zone, rows = given.get("zone"), given.get("windows")
    if not isinstance(zone, str) or not _ZONE.fullmatch(zone):
        errors.append(Finding("/zone", "invalid", "Name a time zone, such as Europe/Berlin or UTC."))
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_WINDOWS:
        errors.append(Finding("/windows", "invalid", f"Give from 1 to {MOST_WINDOWS} windows."))
        rows = []
    windows = tuple(filter(None, (_window(row, f"/windows/{n}", errors) for n, row in enumerate(rows))))
    if not errors and _free_minutes(windows) < FREE_MINUTES:
        errors.append(Finding("/windows", "invalid", "Leave an hour of the week free, or nothing is ever renewed."))
    if errors:
        raise ValidationFailed(errors=errors)
    return QuietHours(str(zone), windows, bool(given.get("strict", False)))


def days_in(text: str) -> list[str]:
    """Read `mon-fri`, `sat,sun` or `fri-mon` as names of days; what is none of them is given back as it is."""
    found: list[str] = []
    for part in text.lower().split(","):
        first, dash, last = part.strip().partition("-")
        if dash and first in DAYS and last in DAYS:
            start, length = DAYS.index(first), (DAYS.index(last) - DAYS.index(first)) % 7 + 1
            found += [DAYS[(start + n) % 7] for n in range(length)]
        else:
            found.append(part.strip())
    return list(dict.fromkeys(found))


def span_at(hours: QuietHours, zone: tzinfo, at: float) -> Span | None:
    """The quiet time that this instant (Unix seconds) is in; `zone`: the one that `hours` names."""
    spans = _spans_around(hours, zone, int(at // _DAY_S))
    n = bisect_right(spans, at, key=lambda span: span.begins)
    return spans[n - 1] if n and at < spans[n - 1].ends else None


def next_allowed(hours: QuietHours, zone: tzinfo, at: float) -> float:
    """The first instant from this one on that is not quiet (Unix seconds)."""
    span = span_at(hours, zone, at)
    return at if span is None else span.ends


def placed(
    hours: QuietHours,
    zone: tzinfo,
    *,
    due: float,
    now: float,
    issued_at: float,
    ends_at: float | None,
    lost_at: float | None,
    fraction: float,
) -> float:
    """Say when a renewal that is due in quiet hours is made, in Unix seconds.

    Before them, where the token would end in them and a newer one does better; else after them. Either way spread.

    Args:
        hours, zone: the connector's quiet hours, and the time zone that they name.
        due: when it would be made.
        now: the time.
        issued_at: when the token came.
        ends_at: its end, None where none is known.
        lost_at: when what renews it ends and nothing else could, None where that does not come.
        fraction: a die in [0, 1).

    Returns:
        `due` where that is not in quiet hours, or where the renewal can't wait until they are over.
    """
    span = span_at(hours, zone, due)
    if span is None:
        return due
    spread = min(max((span.ends - span.begins) * SPREAD_SHARE, SPREAD_MIN_S), SPREAD_MAX_S)
    ends = min((each for each in (ends_at, lost_at) if each is not None), default=None)
    outlives = span.ends + MARGIN_S
    if ends is not None and ends <= outlives:
        early = _before(hours, zone, span, now, spread, fraction)
        life = max(0.0, ends - issued_at)
        # A token that is young and would end in them anyway is not renewed again and again until they begin.
        if early is not None and (early + life > outlives or early - issued_at >= life / 2):
            return early
        if lost_at is not None and lost_at <= outlives:
            return due
    return _after(hours, zone, span, ends, spread, fraction)


def _before(hours: QuietHours, zone: tzinfo, span: Span, now: float, spread: float, fraction: float) -> float | None:
    latest = span.begins - MARGIN_S
    if now > latest:
        return None
    early = latest - (latest - max(now, latest - spread)) * fraction
    return early if span_at(hours, zone, early) is None else None


def _after(hours: QuietHours, zone: tzinfo, span: Span, ends: float | None, spread: float, fraction: float) -> float:
    last = span.ends + spread
    if ends is not None and ends > span.ends:
        last = max(span.ends, min(last, ends - MARGIN_S / 2))
    later = span.ends + (last - span.ends) * fraction
    return later if span_at(hours, zone, later) is None else span.ends


@lru_cache(maxsize=1024)
def _spans_around(hours: QuietHours, zone: tzinfo, day: int) -> Sequence[Span]:
    """The quiet times of some days before and after this one (days since 1970, UTC), those that touch made one."""
    middle = date(1970, 1, 1) + timedelta(days=day)
    days = [middle + timedelta(days=n) for n in range(-_AROUND_DAYS, _AROUND_DAYS + 1)]
    found: list[Span] = []
    for span in sorted(_spans_on(hours, zone, days), key=lambda each: each.begins):
        if found and span.begins <= found[-1].ends:
            found[-1] = Span(found[-1].begins, max(found[-1].ends, span.ends))
        else:
            found.append(span)
    return tuple(found)


def _spans_on(hours: QuietHours, zone: tzinfo, days: Sequence[date]) -> Iterator[Span]:
    for day in days:
        for each in hours.windows:
            if day.weekday() in each.days:
                last = day if each.ends > each.begins else day + timedelta(days=1)
                yield Span(_first(_on_wall(day, each.begins), zone), _last(_on_wall(last, each.ends), zone))


def _on_wall(day: date, minutes: int) -> datetime:
    return datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)  # noqa: DTZ001 (the zone comes next)


def _first(wall: datetime, zone: tzinfo) -> float:
    """When the clock first shows this or, where it leaps over it, when it leaps."""
    before, after = _instant(wall, zone, 0), _instant(wall, zone, 1)
    if before <= after:
        return float(before)
    # `before` reads it by the offset before the leap and comes out after it, `after` the other way round
    low, high = after, before
    offset = _offset(high, zone)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _offset(middle, zone) == offset else (middle, high)
    return float(high)


def _last(wall: datetime, zone: tzinfo) -> float:
    """When the clock last shows this or, where it leaps over it, as long after the leap as was left."""
    return float(max(_instant(wall, zone, 0), _instant(wall, zone, 1)))


def _instant(wall: datetime, zone: tzinfo, fold: int) -> int:
    return int(wall.replace(tzinfo=zone, fold=fold).timestamp())


def _offset(at: int, zone: tzinfo) -> timedelta | None:
    return datetime.fromtimestamp(at, UTC).astimezone(zone).utcoffset()


def _window(row: Any, pointer: str, errors: list[Finding]) -> Window | None:
    given = row if isinstance(row, dict) else {}
    begins, ends = _minutes(given.get("from")), _minutes(given.get("to"), midnight=True)
    days = given.get("days")
    named = DAYS if days is None else days
    count = len(errors)
    for name, value in (("from", begins), ("to", ends)):
        if value is None:
            errors.append(Finding(f"{pointer}/{name}", "invalid", "Write a time of day as 02:00."))
    if begins is not None and begins == ends:
        errors.append(Finding(f"{pointer}/to", "invalid", "It ends where it begins; a whole day is 00:00 to 24:00."))
    if not isinstance(named, list | tuple) or not named or any(each not in DAYS for each in named):
        errors.append(Finding(f"{pointer}/days", "invalid", f"Give days, of {', '.join(DAYS)}."))
    if begins is None or ends is None or len(errors) > count:
        return None
    return Window(begins, ends, frozenset(DAYS.index(each) for each in named))


def _minutes(text: Any, *, midnight: bool = False) -> int | None:
    if midnight and text == "24:00":
        return _DAY_MINUTES
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    return int(found[1]) * 60 + int(found[2]) if found else None


def _free_minutes(windows: Sequence[Window]) -> int:
    week = 7 * _DAY_MINUTES
    quiet = {
        (day * _DAY_MINUTES + each.begins + n) % week
        for each in windows
        for day in each.days
        for n in range(each.minutes)
    }
    return week - len(quiet)


def _text(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _words(window: Window) -> str:
    days = "" if len(window.days) == len(DAYS) else " ".join(DAYS[day] for day in sorted(window.days)) + " "
    return f"{days}{_text(window.begins)}-{_text(window.ends)}"
