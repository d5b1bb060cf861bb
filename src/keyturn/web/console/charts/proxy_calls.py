"""Proxied calls per connector: how many an API answered, and of those how many with 4xx and with 5xx.

Rule 1: each connector has a scale of its own, which is said beside it: beside a large one a small one would be no more
than a line.
Rule 2: where nothing was counted there is no drawing but a sentence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from keyturn.engine.observing.call_times import CallTime
from keyturn.engine.overview.board import HOUR_S, Board
from keyturn.web.console.charts.busiest import Row, busiest
from keyturn.web.console.charts.shapes import columns

HEAD: Final = ("From (UTC)", "Calls", "4xx", "5xx")
KEY: Final = (("renewed", "answered well"), ("retried", "4xx: the call was refused"), ("lost", "5xx: the API failed"))
_KINDS: Final = ("renewed", "retried", "lost")


@dataclass(frozen=True, slots=True)
class ProxyCalls:
    """The picture."""

    summary: str
    rows: tuple[Row, ...] = ()
    axis: tuple[str, str] = ("", "")


def proxy_calls(board: Board, moment: Callable[[float], str]) -> ProxyCalls:
    """The picture of a board. `moment`: says a time of an axis."""
    if not board.call_times:
        return ProxyCalls(f"No data: no call was answered in the last {board.range.words}.")
    of_connector, not_all = busiest(board.call_times)
    step_s = max(board.range.step_s, HOUR_S)
    since = (board.until - board.range.length_s) // step_s * step_s
    steps = max(1, math.ceil((board.until - since) / step_s))
    rows = tuple(_multiple(name, times, since, step_s, steps, moment) for name, times in of_connector.items())
    calls, refused, failed = _sums(board.call_times)
    summary = (
        f"{calls} call{'' if calls == 1 else 's'} answered in the last {board.range.words}: "
        f"{refused} with 4xx, {failed} with 5xx."
    )
    return ProxyCalls(summary + not_all, rows, (f"{moment(since)} UTC", f"{moment(board.until)} UTC"))


def _multiple(
    connector: str, times: Sequence[CallTime], since: float, step_s: float, steps: int, moment: Callable[[float], str]
) -> Row:
    values = [(0, 0, 0)] * steps
    for each in times:
        place = round((each.start - since) / step_s)
        if 0 <= place < steps:
            good = each.count - each.client_errors - each.server_errors
            values[place] = (good, each.client_errors, each.server_errors)
    calls, refused, failed = _sums(times)
    peak = max(sum(each) for each in values)
    unit = "an hour" if step_s == HOUR_S else f"in {round(step_s / HOUR_S)} hours"
    said = f"{calls} call{'' if calls == 1 else 's'}, at most {peak} {unit}; "
    said += f"{_percent(refused, calls)} 4xx, {_percent(failed, calls)} 5xx"
    rows = tuple((moment(each.start), each.count, each.client_errors, each.server_errors) for each in reversed(times))
    return Row(connector, columns(f"calls-{connector}", f"{connector}: {said}.", _KINDS, values), said, rows)


def _sums(times: Sequence[CallTime]) -> tuple[int, int, int]:
    return (
        sum(each.count for each in times),
        sum(each.client_errors for each in times),
        sum(each.server_errors for each in times),
    )


def _percent(part: int, whole: int) -> str:
    """A share; one that is there is never said to be nought."""
    if part and part * 1000 < whole:
        return "under 0.1 %"
    return f"{part / whole * 100:.1f}".rstrip("0").rstrip(".") + " %" if whole else "0 %"
