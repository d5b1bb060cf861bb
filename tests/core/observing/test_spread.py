"""Spreads: counts between bounds, and what is read from them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.observing.spread import BOUNDS_S, OVER, Spread, quantile_s
from keyturn.web.kit.metric import BUCKETS_S


def spread_of(*seconds: float) -> Spread:
    """These, counted."""
    spread = Spread()
    for each in seconds:
        spread.add(each)
    return spread


def test_bounds_hold_those_of_the_metrics() -> None:
    """They rise, none is more than a third above the one before, and `/metrics` has some of them."""
    ratios = [high / low for low, high in pairwise(BOUNDS_S)]

    assert set(BUCKETS_S) <= set(BOUNDS_S)
    assert 1.0 < min(ratios) <= max(ratios) < 1.34
    assert (1e-4, 30.0) == (BOUNDS_S[0], BOUNDS_S[-1])


@pytest.mark.parametrize(
    ("seconds", "share", "expected"),
    [
        pytest.param((), 0.5, None, id="of nothing"),
        pytest.param((0.2,), 1.0, 0.2, id="a bound counts as its own"),
        pytest.param((0.19, 0.19), 0.5, 0.175, id="evenly between two bounds"),
        pytest.param((0.19, 0.19, 0.19, 7.0), 0.75, 0.2, id="the last of the lower ones"),
        pytest.param((0.19, 0.19, 0.19, 7.0), 0.76, 6.08, id="just beyond them"),
        pytest.param((0.00001,), 1.0, 0.0001, id="below the first bound"),
        pytest.param((40.0, 400.0), 0.5, 30.0, id="above the last"),
    ],
)
def test_quantile_s(seconds: tuple[float, ...], share: float, expected: float | None) -> None:
    """Read from counts as from the calls themselves, as far as bounds can tell."""
    assert pytest.approx(expected) == quantile_s(spread_of(*seconds).counts, share)


@given(st.lists(st.floats(0.0, 60.0), min_size=1), st.sampled_from((0.5, 0.95, 1.0)))
def test_a_quantile_lies_beside_the_true_one(seconds: list[float], share: float) -> None:
    """Within the bounds that enclose the call which the share falls on."""
    true = sorted(seconds)[max(0, -int(-share * len(seconds) // 1) - 1)]
    index = next((n for n, bound in enumerate(BOUNDS_S) if true <= bound), OVER)
    low = BOUNDS_S[index - 1] if index else 0.0
    found = quantile_s(spread_of(*seconds).counts, share)

    assert found is not None
    assert min(low, BOUNDS_S[-1]) <= found <= BOUNDS_S[min(index, OVER - 1)] + 1e-9


def test_spreads_merge() -> None:
    """As if all had been counted in one."""
    first = spread_of(0.1, 2.0)
    first.merge(spread_of(0.1, 100.0))

    assert spread_of(0.1, 2.0, 0.1, 100.0).counts == first.counts
    assert 4 == first.count
    assert pytest.approx(102.2) == first.total_s
