"""When to renew: ahead of the end, by a margin that fits the token's life."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.renewal.window import lead_s, renews_at

LEADS = [
    pytest.param(1, 0.5, id="a second: half of it"),
    pytest.param(59, 29.5, id="just under a minute: half of it"),
    pytest.param(60, 30, id="a minute"),
    pytest.param(61, 30, id="thirty seconds at least"),
    pytest.param(299, 30, id="up to five minutes"),
    pytest.param(310, 31, id="then a tenth"),
    pytest.param(3600, 360, id="an hour"),
    pytest.param(5990, 599, id="just under the longest"),
    pytest.param(6010, 600, id="ten minutes at most"),
    pytest.param(90 * 86_400, 600, id="three months"),
]


@pytest.mark.parametrize(("life", "lead"), LEADS)
def test_the_lead_is_a_tenth_within_bounds(life: float, lead: float) -> None:
    """Between 30 s and 10 min, at most half the life."""
    assert lead == pytest.approx(lead_s(life))


@pytest.mark.parametrize(
    ("fraction", "share"), [pytest.param(0.0, 0.8, id="lowest"), pytest.param(0.5, 0.9, id="middle")]
)
def test_the_lead_is_jittered(fraction: float, share: float) -> None:
    """By a quarter: a fleet does not renew in one second."""
    at = renews_at(issued_at=1000.0, expires_at=4600.0, renewable=True, fraction=fraction)

    assert 4600 - 360 * share == pytest.approx(at)


@pytest.mark.parametrize(
    ("life", "due"),
    [
        pytest.param(59.9, False, id="under a minute"),
        pytest.param(60.0, True, id="a minute"),
        pytest.param(0.0, False, id="ended at once"),
        pytest.param(-5.0, False, id="ended before"),
    ],
)
def test_short_tokens_are_renewed_on_demand(life: float, due: bool) -> None:
    """Else the scheduler would do nothing else."""
    assert due == (renews_at(issued_at=0.0, expires_at=life, renewable=True, fraction=0.5) is not None)


@pytest.mark.parametrize("life", [10.0, 3600.0])
def test_what_cannot_be_renewed_is_due_at_its_end(life: float) -> None:
    """Then its state changes, to the second."""
    assert life == renews_at(issued_at=0.0, expires_at=life, renewable=False, fraction=0.5)


@pytest.mark.parametrize("renewable", [True, False])
def test_without_an_expiry_nothing_is_due(renewable: bool) -> None:
    """Only a stale answer tells."""
    assert renews_at(issued_at=0.0, expires_at=None, renewable=renewable, fraction=0.5) is None


@given(st.floats(60, 1e9), st.floats(0, 1, exclude_max=True), st.floats(0, 2e9))
def test_it_is_due_in_the_second_half_of_its_life(life: float, fraction: float, issued_at: float) -> None:
    """Never before half of it has passed, never after its end, never more than ten minutes ahead."""
    at = renews_at(issued_at=issued_at, expires_at=issued_at + life, renewable=True, fraction=fraction)

    assert at is not None
    assert issued_at + life / 2 - 1e-3 <= at < issued_at + life
    assert at >= issued_at + life - 600 - 1e-3
