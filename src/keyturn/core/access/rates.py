"""How many requests may be made in a time: a window that slides, weighed from two that stand still.

Rule 1: what was counted in the window before counts as if it had been spread evenly over it: two numbers are all that
is kept for each caller, and numbers of several processes are simply added.
Rule 2: nothing here knows the time, or who is counted.

Source: the product's rules for limits; RateLimit header fields (draft-ietf-httpapi-ratelimit-headers).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

WINDOW_S: Final = 60


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `quota` in any `window_s` seconds; `name`: of the policy, as callers read it."""

    name: str
    quota: int
    window_s: int = WINDOW_S


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted in the window that runs and in the one before. `elapsed_s`: how far the first has come."""

    current: int
    previous: int
    elapsed_s: float

    def weighed(self, window_s: int) -> float:
        """About how many came in the last `window_s` seconds."""
        return self.current + self.previous * max(0.0, 1.0 - self.elapsed_s / window_s)


def left(rate: Rate, counted: Counted) -> int:
    """How many more may come now."""
    return max(0, math.floor(rate.quota - counted.weighed(rate.window_s)))


def wait_s(rate: Rate, counted: Counted) -> float:
    """Seconds until one more may come, if none comes meanwhile; 0 where it may come now."""
    if left(rate, counted) > 0:
        return 0.0
    room, window = rate.quota - 1, rate.window_s
    if counted.current <= room:  # the window before still weighs too much
        return window * (1.0 - (room - counted.current) / counted.previous) - counted.elapsed_s
    return window - counted.elapsed_s + window * (1.0 - room / counted.current)
