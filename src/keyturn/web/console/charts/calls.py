"""Calls of one connection in the last day, by the hour."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from keyturn.web.console.charts.picture import Picture
from keyturn.web.console.charts.shapes import columns

HOURS: Final = 24
HOUR_S: Final = 3600


def calls_by_hour(counts: Mapping[int, tuple[int, int]], now: float, moment: Callable[[float], str]) -> Picture:
    """The picture.

    Args:
        counts: when an hour began (Unix seconds) → calls, and those that the API failed.
        now: Unix seconds.
        moment: says a time of an axis.
    """
    title, last = "Calls by the hour", int(now) // HOUR_S * HOUR_S
    hours = [last - n * HOUR_S for n in reversed(range(HOURS))]
    values = [counts.get(hour, (0, 0)) for hour in hours]
    calls, failed = sum(each for each, _ in values), sum(bad for _, bad in values)
    if not calls:
        return Picture("calls", title, f"No data: no call was answered in the last {HOURS} hours.")
    peak = max(zip(values, hours, strict=True))
    summary = (
        f"{calls} call{'' if calls == 1 else 's'} in the last {HOURS} hours, {failed} of them answered with an error; "
        f"most ({peak[0][0]}) in the hour from {moment(peak[1])} UTC."
    )
    return Picture(
        "calls",
        title,
        summary,
        columns("calls", summary, ("renewed", "lost"), [(each - bad, bad) for each, bad in values]),
        ("Hour from (UTC)", "Calls", "Errors"),
        tuple((moment(hour), *each) for hour, each in zip(hours, values, strict=True) if each[0]),
        (f"{moment(hours[0])} UTC", "now"),
        (("renewed", "answered"), ("lost", "answered with an error")),
    )
