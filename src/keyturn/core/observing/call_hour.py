"""What a connection was called in one hour, and which hours the last day has.

Rule: an hour begins on the hour, UTC; the one that runs counts as the last one of the day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HOUR_S: Final = 3600
HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class CallHour:
    """How many calls the API answered in the hour from `begins_at` (Unix seconds) on, and how many of them it failed.

    Failed is an answer of 4xx or 5xx, and one that the connector takes for a stale token.
    """

    begins_at: int
    calls: int
    failed: int


def last_day(now: float) -> range:
    """When the hours of the last day began, oldest first; the last one is the one that runs. `now`: Unix seconds."""
    last = int(now) // HOUR_S * HOUR_S
    return range(last - (HOURS - 1) * HOUR_S, last + 1, HOUR_S)
