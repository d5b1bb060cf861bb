"""The drawings: bars that are stacked, columns over time, marks in a row.

Rule: a part is drawn by its class; its pattern is laid over it, so that it can be told without its colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from keyturn.web.console.charts.picture import element, joined, number, svg

# Class of a part → pattern over it; what is not named is plain.
PATTERNS: Final = {
    "retried": "stripes",
    "lost": "checks",
    "uncertain": "stripes",
    "needs_reconnect": "checks",
    "unreadable": "stripes",
    "paused": "dots",
    "unconfirmed": "dots",
    "alone": "checks",
}
_TALL: Final = 100.0
_WIDE: Final = 10.0
_GAP: Final = 1.5


def bar(label: str, parts: Sequence[tuple[str, int]], *, name: str = "bar") -> Markup:
    """One bar of parts (class, count), as long as there is room; the smallest part still shows.

    `name`: no other drawing of the page has it.
    """
    whole = sum(count for _, count in parts) or 1
    floor, wide = 8.0, 1000.0
    widths = [max(floor, count / whole * wide) for _, count in parts if count]
    scale = wide / sum(widths) if widths else 1.0
    pieces, at = [], 0.0
    for (kind, _), width in zip([each for each in parts if each[1]], widths, strict=True):
        pieces += _block(kind, at, 0.0, width * scale, 20.0)
        at += width * scale
    return svg(label, wide, 20, joined([_patterns(name), *pieces]).replace("#p-", f"#{name}-"), kind="chart bar")


def columns(
    name: str,
    label: str,
    kinds: Sequence[str],
    values: Sequence[Sequence[int]],
    links: Sequence[tuple[str, str]] = (),
) -> Markup:
    """Columns, each stacked of one count for each of `kinds`; the highest one fills the height.

    `links`: for each column where a click on it leads, and in words what it shows.
    """
    highest = max((sum(each) for each in values), default=0) or 1
    pieces = []
    for n, counts in enumerate(values):
        top = _TALL
        for kind, count in zip(kinds, counts, strict=True):
            if count:
                height = max(1.5, count / highest * (_TALL - 2))
                top -= height
                pieces += _block(kind, n * _WIDE + _GAP / 2, max(0.0, top), _WIDE - _GAP, height)
    for n, ((href, words), counts) in enumerate(zip(links, values, strict=True) if links else ()):
        if any(counts):
            pieces.append(_to_click(href, words, n * _WIDE))
    content = joined([_patterns(name), *pieces]).replace("#p-", f"#{name}-")
    role = "group" if links else "img"
    return svg(label, max(1, len(values)) * _WIDE, _TALL, content, kind="chart columns", role=role)


def ranked(label: str, count: int, most: int) -> Markup:
    """One bar, as long as its share of the longest one."""
    width = max(2.0, count / max(1, most) * 100)
    return svg(
        label,
        100,
        10,
        element("rect", class_="lost", x="0", y="1", width=number(width), height="8"),
        kind="chart ranked",
    )


def marks(label: str, cells: Sequence[tuple[int, int]], most: int) -> Markup:
    """A row of marks (failed, all): a dot where all is well, a triangle where some failed, a square from a half on.

    Its size follows from how many there were, of `most`; nothing is drawn where there was nothing.
    """
    pieces = []
    for n, (failed, sent) in enumerate(cells):
        if not sent:
            continue
        size = 1.5 + 3.5 * min(1.0, (sent / max(1, most)) ** 0.5)
        x, y = n * 12 + 6.0, 6.0
        if not failed:
            pieces.append(element("circle", cx=number(x), cy=number(y), r=number(size * 0.7), class_="well"))
        elif failed * 2 < sent:
            pieces.append(element("path", d=_triangle(x, y, max(size, 3.5)), class_="some"))
        else:
            side = max(size, 3.0) * 2
            pieces.append(
                element(
                    "rect",
                    x=number(x - side / 2),
                    y=number(y - side / 2),
                    width=number(side),
                    height=number(side),
                    class_="most",
                )
            )
    return svg(label, max(1, len(cells)) * 12, 12, joined(pieces), kind="chart marks", stretch=False)


def strip(label: str, days: Sequence[str]) -> Markup:
    """One mark for each day: `well`, `some`, `most`, or nothing for a day without records."""
    cells = {"well": (0, 1), "some": (1, 3), "most": (1, 1), "": (0, 0)}
    return marks(label, [cells[each] for each in days], 1)


def sparkline(label: str, values: Sequence[tuple[int, int]]) -> Markup:
    """Small columns (all, failed), the failed part on top, and a mark over each that has one.

    Three paths, however many columns: a list has a drawing in each of its rows.
    """
    highest = max((every for every, _ in values), default=0) or 1
    well = bad = over = ""
    for n, (every, failed) in enumerate(values):
        if not every:
            continue
        x, top = n * 4, 20 - max(1.5, every / highest * 14)
        middle = top + (20 - top) * failed / every
        if failed < every:
            well += f"M{x} 20V{number(middle)}h3V20z"
        if failed:
            bad += f"M{x} {number(middle)}V{number(top)}h3V{number(middle)}z"
            over += f"M{number(x + 1.5)} 0l1.6 3.6h-3.2z"
    drawn = (("renewed", well), ("lost", bad), ("lost", over))
    pieces = [element("path", class_=kind, d=path) for kind, path in drawn if path]
    return svg(label, max(1, len(values)) * 4, 20, joined(pieces), kind="chart spark", stretch=False)


def _block(kind: str, x: float, y: float, width: float, height: float) -> list[Markup]:
    place = {"x": number(x), "y": number(y), "width": number(width), "height": number(height)}
    drawn = [element("rect", class_=kind, **place)]
    if kind in PATTERNS:
        drawn.append(element("rect", fill=f"url(#p-{PATTERNS[kind]})", **place))
    return drawn


def _to_click(href: str, words: str, x: float) -> Markup:
    """The whole height of a column as a link for a pointer; its words show where it rests."""
    place = element("rect", x=number(x), y="0", width=number(_WIDE), height=number(_TALL), class_="over")
    return element("a", element("title", words) + place, href=href, tabindex="-1", aria_hidden="true")


def _triangle(x: float, y: float, size: float) -> str:
    return f"M{number(x)} {number(y - size)}l{number(size)} {number(size * 1.8)}h{number(-2 * size)}z"


def _patterns(name: str) -> Markup:
    """The patterns of one drawing; their ids begin with its name, since a page has several."""

    def one(which: str, content: Markup) -> Markup:
        return element(
            "pattern", content, id=f"{name}-{which}", width="4", height="4", patternUnits="userSpaceOnUse",
        )  # fmt: skip

    line = element("path", d="M0 4L4 0", class_="ink", stroke_width="1.2")
    cross = element("path", d="M0 0L4 4M0 4L4 0", class_="ink", stroke_width="1")
    dot = element("circle", cx="2", cy="2", r="0.8", class_="spot")
    return element("defs", joined([one("stripes", line), one("checks", cross), one("dots", dot)]))
