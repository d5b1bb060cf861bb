"""How often something took how long: counts between fixed bounds, which add up over processes and hours.

Rule 1: bounds are the same everywhere and for ever: a count that was stored is added to one that is made now.
Rule 2: they lie so close that a quantile read between two of them is wrong by a third at most, mostly by far less.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final

_STEPS: Final = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
# Seconds, from a tenth of a millisecond to the half minute at which nobody waits any longer.
BOUNDS_S: Final = tuple(
    float(f"{step}e{power}") for power in range(-4, 2) for step in _STEPS if float(f"{step}e{power}") <= 30.0
)
OVER: Final = len(BOUNDS_S)  # where those stand that took longer than any bound


class Spread:
    """Counts by bound; adding one is a search among sixty numbers and two additions."""

    __slots__ = ("counts", "total_s")

    def __init__(self, counts: Iterable[int] = (), total_s: float = 0.0) -> None:
        """`counts`: one for each of `BOUNDS_S`, and one for what took longer; none: all nought."""
        self.counts = list(counts) or [0] * (OVER + 1)
        self.total_s = total_s

    @property
    def count(self) -> int:
        """How many in all."""
        return sum(self.counts)

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.total_s += seconds

    def merge(self, other: Spread) -> None:
        """Count all of another."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.total_s += other.total_s


def quantile_s(counts: Sequence[int], share: float) -> float | None:
    """Say within how many seconds this share of them was done, read evenly between two bounds; None of nothing.

    Args:
        counts: one for each of `BOUNDS_S`, and one for what took longer; that is told as the last bound.
        share: in (0, 1].
    """
    whole = sum(counts)
    if whole == 0:
        return None
    wanted, below = share * whole, 0
    for index, count in enumerate(counts[:OVER]):
        if count and below + count >= wanted:
            first = BOUNDS_S[index - 1] if index else 0.0
            return first + (BOUNDS_S[index] - first) * (wanted - below) / count
        below += count
    return BOUNDS_S[-1]
