"""A window that slides, weighed from two that stand still."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.access.rates import Counted, Rate, left, wait_s


@pytest.mark.parametrize(
    ("counted", "expected"),
    [
        pytest.param(Counted(0, 0, 0), 10, id="nothing yet"),
        pytest.param(Counted(9, 0, 59), 1, id="one more"),
        pytest.param(Counted(10, 0, 59), 0, id="none more"),
        pytest.param(Counted(0, 10, 0), 0, id="all of the window before"),
        pytest.param(Counted(0, 10, 30), 5, id="half of it"),
        pytest.param(Counted(0, 10, 60), 10, id="it is over"),
        pytest.param(Counted(50, 0, 10), 0, id="others let through more than the quota"),
    ],
)
def test_left(counted: Counted, expected: int) -> None:
    """The window before weighs less the further this one has come."""
    assert expected == left(Rate("x", 10), counted)


@given(
    quota=st.integers(1, 500), current=st.integers(0, 2000), previous=st.integers(0, 2000), elapsed=st.floats(0, 59.9)
)
def test_the_wait_is_long_enough_and_no_longer(quota: int, current: int, previous: int, elapsed: float) -> None:
    """After it one may come, just before it none; it is nought exactly where one may come now."""
    rate = Rate("x", quota)

    def at(later_s: float) -> int:
        moment = elapsed + later_s
        windows = int(moment // 60)
        kept = [(current, previous), (0, current), (0, 0)][min(windows, 2)]
        return left(rate, Counted(*kept, moment - 60 * windows))

    wait = wait_s(rate, Counted(current, previous, elapsed))

    assert (wait == 0) == (at(0) > 0)
    assert at(wait + 0.001) > 0
    if wait > 0.01:
        assert at(wait - 0.01) == 0
