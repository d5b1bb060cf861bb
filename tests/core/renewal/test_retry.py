"""How long to wait before a provider is asked again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.renewal.retry import asked_to_wait_s, back_off_s, quiet_s

FRACTIONS = st.floats(0, 1, exclude_max=True)
CEILINGS = [(-3, 2), (0, 2), (1, 2), (2, 4), (3, 8), (4, 16), (5, 32), (6, 60), (7, 60), (1000, 60)]


@pytest.mark.parametrize(("failures", "ceiling"), CEILINGS)
def test_back_off_doubles_up_to_its_cap(failures: int, ceiling: float) -> None:
    """With full jitter: anything from a tenth of the ceiling up to it."""
    assert ceiling / 10 == back_off_s(failures, fraction=0.0)
    assert ceiling / 2 == back_off_s(failures, fraction=0.5)
    assert ceiling * 0.999 == back_off_s(failures, fraction=0.999)


@pytest.mark.parametrize(
    ("failures", "cap", "waits"),
    [(11, 3600.0, 2048), (12, 3600.0, 3600), (5, 10.0, 10), (9, 1e9, 512), (99, 1e9, 2**21)],
)
def test_back_off_has_the_cap_that_it_is_given(failures: int, cap: float, waits: float) -> None:
    """A revocation waits longer than a renewal; no number of failures overflows."""
    assert waits / 2 == back_off_s(failures, fraction=0.5, cap_s=cap)


@given(st.integers(-5, 10_000), FRACTIONS, st.floats(1, 1e6))
def test_back_off_is_never_nothing_and_never_above_its_cap(failures: int, fraction: float, cap: float) -> None:
    """No loop spins by it."""
    assert 0 < back_off_s(failures, fraction=fraction, cap_s=cap) <= cap


@pytest.mark.parametrize(
    ("asked", "waits"), [(None, 2.0), (0.0, 2.0), (-5.0, 2.0), (7.5, 7.5), (3600.0, 3600.0), (3601.0, 3600.0)]
)
def test_a_provider_may_ask_to_wait_up_to_an_hour(asked: float | None, waits: float) -> None:
    """Where it says nothing, or asks for no wait at all, the back-off counts."""
    assert waits == asked_to_wait_s(asked, 2, fraction=0.5)


@pytest.mark.parametrize(
    ("refusals", "minutes"), [(0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (5, 15), (6, 15), (10_000, 15)]
)
def test_quiet_grows_from_one_minute_to_fifteen(refusals: int, minutes: float) -> None:
    """1, 2, 4 … 15 min."""
    assert minutes * 60 == quiet_s(refusals)
