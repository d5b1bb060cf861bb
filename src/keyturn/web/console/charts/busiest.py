"""Pictures with a drawing for each connector: which connectors they show, and what stands for one of them.

Rule: a page that is read from top to bottom has room for a few; which those are is the same in every such picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from keyturn.engine.observing.call_times import CallTime

MOST: Final = 6  # connectors, those with the most calls
SAID: Final = f" Shown are the {MOST} connectors with the most calls."


@dataclass(frozen=True, slots=True)
class Row:
    """One connector's drawing, one sentence about its figures, and all of them as a table."""

    connector: str
    drawing: Markup
    said: str
    rows: tuple[tuple[object, ...], ...]


def busiest(times: Sequence[CallTime]) -> tuple[dict[str, list[CallTime]], str]:
    """The times of the connectors with the most calls, those first; and what to say where that is not all."""
    found: dict[str, list[CallTime]] = {}
    for each in times:
        found.setdefault(each.connector, []).append(each)
    shown = sorted(found, key=lambda name: (-sum(each.count for each in found[name]), name))[:MOST]
    return {name: found[name] for name in shown}, SAID if len(found) > MOST else ""
