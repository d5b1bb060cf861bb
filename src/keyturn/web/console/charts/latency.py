"""How long calls take, per connector: lines for the provider's part and keyturn's own, of half the calls and of most.

Rule 1: the scale is of tenfold steps, the same for all connectors of a page: a millisecond of ours can be seen beside a
second of theirs, and one connector beside another.
Rule 2: a time without a call is a gap, never a nought; where nothing was measured there is no drawing but a sentence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from keyturn.engine.observing.call_times import CallTime
from keyturn.engine.overview.board import HOUR_S, Board
from keyturn.web.console.charts.busiest import Row, busiest
from keyturn.web.console.charts.picture import element, joined, number, svg

HEAD: Final = ("From (UTC)", "Calls", "Provider p50", "p95", "keyturn p50", "p95")
KEY: Final = (
    ("provider p50", "provider p50"),
    ("provider p95", "provider p95"),
    ("keyturn p50", "keyturn p50"),
    ("keyturn p95", "keyturn p95"),
)
_LINES: Final[tuple[tuple[str, Callable[[CallTime], float]], ...]] = (
    ("provider p50", lambda each: each.provider.p50_s),
    ("provider p95", lambda each: each.provider.p95_s),
    ("keyturn p50", lambda each: each.keyturn.p50_s),
    ("keyturn p95", lambda each: each.keyturn.p95_s),
)
_DASHES: Final = {"provider p95": "6 4", "keyturn p95": "2 3"}  # a line is told by its dashes as well
_TALL: Final = 100.0
_WIDE: Final = 10.0
_SHORTEST_S: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Latency:
    """The picture. `bounds`: the lowest and the highest time of the scale, in words."""

    summary: str
    rows: tuple[Row, ...] = ()
    bounds: tuple[str, str] = ("", "")
    axis: tuple[str, str] = ("", "")


def latency(board: Board, moment: Callable[[float], str]) -> Latency:
    """The picture of a board. `moment`: says a time of an axis."""
    if not board.call_times:
        return Latency(f"No data: no call was answered in the last {board.range.words}.")
    of_connector, not_all = busiest(board.call_times)
    step_s = max(board.range.step_s, HOUR_S)
    since = (board.until - board.range.length_s) // step_s * step_s
    since = max(since, min(each.start for each in board.call_times) // step_s * step_s)
    steps = max(1, math.ceil((board.until - since) / step_s))
    low, high = _decades(
        [value_of(each) for times in of_connector.values() for each in times for _, value_of in _LINES]
    )
    rows = tuple(_row(name, times, since, step_s, steps, low, high, moment) for name, times in of_connector.items())
    newest = [times[-1] for times in of_connector.values()]
    slowest = max(newest, key=lambda each: each.whole.p95_s)
    summary = (
        f"Slowest of late: {slowest.connector}; p95 is {said_s(slowest.provider.p95_s)} at the provider and "
        f"{said_s(slowest.keyturn.p95_s)} here."
    )
    bounds = (said_s(10.0**low), said_s(10.0**high))
    return Latency(summary + not_all, rows, bounds, (f"{moment(since)} UTC", f"{moment(board.until)} UTC"))


def said_s(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 0.01:
        return f"{seconds * 1000:.1f}".rstrip("0").rstrip(".") + " ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f}".rstrip("0").rstrip(".") + " s"


def _row(
    connector: str,
    times: Sequence[CallTime],
    since: float,
    step_s: float,
    steps: int,
    low: int,
    high: int,
    moment: Callable[[float], str],
) -> Row:
    newest = times[-1]
    said = (
        f"provider p50 {said_s(newest.provider.p50_s)}, p95 {said_s(newest.provider.p95_s)}; "
        f"keyturn p50 {said_s(newest.keyturn.p50_s)}, p95 {said_s(newest.keyturn.p95_s)}"
    )
    pieces = [_grid(steps, low, high)]
    for name, value_of in _LINES:
        points = [(round((each.start - since) / step_s), _height(value_of(each), low, high)) for each in times]
        pieces.append(line(name, points))
    drawing = svg(f"{connector}: {said}.", steps * _WIDE, _TALL, joined(pieces), kind="chart lines")
    rows = tuple(
        (moment(each.start), each.count, *(said_s(value_of(each)) for _, value_of in _LINES))
        for each in reversed(times)
    )
    return Row(connector, drawing, said, rows)


def _decades(seconds: Sequence[float]) -> tuple[int, int]:
    """The powers of ten that hold all of them; at least two apart."""
    low = math.floor(math.log10(max(_SHORTEST_S, min(seconds))))
    high = math.ceil(math.log10(max(_SHORTEST_S, *seconds)))
    return low, max(high, low + 2)


def _height(seconds: float, low: int, high: int) -> float:
    share = (math.log10(max(_SHORTEST_S, seconds)) - low) / (high - low)
    return _TALL * (1 - min(1.0, max(0.0, share)))


def _grid(steps: int, low: int, high: int) -> Markup:
    heights = [_TALL * n / (high - low) for n in range(1, high - low)]
    path = "".join(f"M0 {number(each)}H{number(steps * _WIDE)}" for each in heights)
    return element("path", d=path, class_="grid", fill="none", vector_effect="non-scaling-stroke")


def line(name: str, points: Sequence[tuple[int, float]]) -> Markup:
    """A line through the middles of the steps, broken where there is none; a single one is a short dash."""
    path, before = "", None
    for n, height in points:
        middle = n * _WIDE + _WIDE / 2
        if before is None or n != before + 1:
            path += f"M{number(middle - _WIDE / 4)} {number(height)}H{number(middle + _WIDE / 4)}"
            path += f"M{number(middle)} {number(height)}"
        else:
            path += f"L{number(middle)} {number(height)}"
        before = n
    return element(
        "path", d=path, class_=name, fill="none", stroke_dasharray=_DASHES.get(name), vector_effect="non-scaling-stroke"
    )
