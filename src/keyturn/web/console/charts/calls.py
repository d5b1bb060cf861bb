"""Calls of one connection in the last day, by the hour: as a picture of its own, and as a small one in a row.

Rule: what failed has a shape of its own, a pattern or a mark; where nothing was called that is said, not drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from keyturn.core.observing.call_hour import HOURS, CallHour, last_day
from keyturn.web.console.charts.picture import Picture
from keyturn.web.console.charts.shapes import columns, sparkline

TITLE: Final = "Calls by the hour"


@dataclass(frozen=True, slots=True)
class Spark:
    """A small picture of a day, and what stands beside it. `drawing`: None where there was no call."""

    calls: int = 0
    failed: int = 0
    drawing: Markup | None = None


def calls_by_hour(hours: Sequence[CallHour], now: float, moment: Callable[[float], str]) -> Picture:
    """The picture.

    Args:
        hours: those with a call; older ones are left out.
        now: Unix seconds.
        moment: says a time of an axis.
    """
    values = _of_the_day(hours, now)
    calls, failed = _sums(values)
    if not calls:
        return Picture("calls", TITLE, f"No data: no call was answered in the last {HOURS} hours.")
    summary = (
        f"{calls} call{'' if calls == 1 else 's'} in the last {HOURS} hours, {failed} of them answered with an error; "
        f"{_most(values, moment)}."
    )
    return Picture(
        "calls",
        TITLE,
        summary,
        columns("calls", summary, ("renewed", "lost"), [(each.calls - each.failed, each.failed) for each in values]),
        ("Hour from (UTC)", "Calls", "Errors"),
        tuple((moment(each.begins_at), each.calls, each.failed) for each in values if each.calls),
        (f"{moment(values[0].begins_at)} UTC", "now"),
        (("renewed", "answered"), ("lost", "answered with an error")),
    )


def spark(hours: Sequence[CallHour], now: float, moment: Callable[[float], str]) -> Spark:
    """The small one; its text says what the numbers beside it don't. Arguments as `calls_by_hour`."""
    values = _of_the_day(hours, now)
    calls, failed = _sums(values)
    if not calls:
        return Spark()
    label = f"By the hour: {_most(values, moment)}"
    if failed:
        bad, some = sum(each.failed > 0 for each in values), sum(each.calls > 0 for each in values)
        label += f"; errors in {bad} of {some} hour{'' if some == 1 else 's'} with calls"
    return Spark(calls, failed, sparkline(f"{label}.", [(each.calls, each.failed) for each in values]))


def _of_the_day(hours: Sequence[CallHour], now: float) -> list[CallHour]:
    """All hours of the last day, those without a call as well."""
    found = {each.begins_at: each for each in hours}
    return [found.get(begins_at, CallHour(begins_at, 0, 0)) for begins_at in last_day(now)]


def _sums(values: Sequence[CallHour]) -> tuple[int, int]:
    return sum(each.calls for each in values), sum(each.failed for each in values)


def _most(values: Sequence[CallHour], moment: Callable[[float], str]) -> str:
    peak = max(values, key=lambda each: (each.calls, each.begins_at))
    return f"most ({peak.calls}) in the hour from {moment(peak.begins_at)} UTC"
