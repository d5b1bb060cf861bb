"""When to renew: ahead of the end, by a margin that fits the token's life."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.renewal.window import kept_alive_at, lead_s, refresh_lead_s, renews_at

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


DAY = 86_400.0


@pytest.mark.parametrize(
    ("life", "lead"),
    [
        pytest.param(60, 30, id="a minute: half of it"),
        pytest.param(1800, 180, id="half an hour: a tenth"),
        pytest.param(30 * DAY, DAY, id="a month: a day at most"),
    ],
)
def test_a_refresh_token_is_used_long_before_its_end(life: float, lead: float) -> None:
    """A provider that is down for a while costs no connection."""
    assert lead == refresh_lead_s(life)


@pytest.mark.parametrize(
    ("expires_at", "refresh_ends", "due"),
    [
        pytest.param(3600.0, 30 * DAY, 3600 - 360, id="the access token ends first"),
        pytest.param(3600.0, 1800.0, 1800 - 180, id="the refresh token ends first"),
        pytest.param(None, 1800.0, 1800 - 180, id="only the refresh token ends"),
        pytest.param(30.0, 1800.0, 1800 - 180, id="a token that calls renew"),
        pytest.param(None, None, None, id="nothing is known"),
    ],
)
def test_what_ends_first_is_renewed_first(
    expires_at: float | None, refresh_ends: float | None, due: float | None
) -> None:
    """A refresh token that has ended renews nothing, however long the access token lives."""
    at = renews_at(issued_at=0.0, expires_at=expires_at, renewable=True, fraction=1.0, refresh_expires_at=refresh_ends)
    assert due == at


def test_a_token_that_renews_itself_is_never_left_to_a_call() -> None:
    """Once it has ended no call can renew it."""
    assert 30.0 == renews_at(issued_at=0.0, expires_at=40.0, renewable=True, fraction=1.0, with_token=True)


@pytest.mark.parametrize(
    ("expires_at", "refresh_ends", "due"),
    [
        pytest.param(3600.0, 30 * DAY, 29 * DAY, id="as late as the refresh token allows"),
        pytest.param(3600.0, None, 3240.0, id="by the access token where nothing else is known"),
        pytest.param(None, None, None, id="nothing is known"),
    ],
)
def test_what_nobody_uses_is_renewed_as_rarely_as_can_be(
    expires_at: float | None, refresh_ends: float | None, due: float | None
) -> None:
    """Only so that it doesn't end."""
    assert due == kept_alive_at(issued_at=0.0, expires_at=expires_at, refresh_expires_at=refresh_ends, fraction=1.0)


@given(st.floats(0, 1, exclude_max=True), st.floats(1, 1e8))
def test_no_die_comes_before_the_earliest_time(fraction: float, life: float) -> None:
    """So that a time that was set with any die counts as come."""

    def at(die: float) -> float:
        found = kept_alive_at(issued_at=0.0, expires_at=None, refresh_expires_at=life, fraction=die)
        assert found is not None
        return found

    assert at(1.0) <= at(fraction) <= max(life, 30.0)


FLOOR = [
    pytest.param({"refresh_expires_at": 1000.0}, 1030.0, id="a refresh token that ends at once"),
    pytest.param({"refresh_expires_at": 990.0}, 1030.0, id="one that has ended"),
    pytest.param({"refresh_expires_at": 1040.0}, 1030.0, id="one that ends in 40 s"),
    pytest.param({"expires_at": 1020.0, "with_token": True}, 1030.0, id="a token of 20 s that renews itself"),
    pytest.param({"expires_at": 1070.0}, 1040.0, id="a token of 70 s is due later anyhow"),
    pytest.param({"expires_at": 1020.0}, None, id="a token of 20 s is left to the call that needs it"),
]


@pytest.mark.parametrize(("ends", "due"), FLOOR)
def test_two_renewals_by_the_clock_are_30_s_apart(ends: dict[str, Any], due: float | None) -> None:
    """Whatever an answer says of lifetimes: else one of 0 s is renewed each second without end (F2)."""
    settled = {"issued_at": 1000.0, "expires_at": None, "renewable": True, "fraction": 1.0}

    assert due == renews_at(**{**settled, **ends})


def test_what_is_kept_alive_is_not_renewed_more_often_either() -> None:
    """The same floor, whichever end counts."""
    both = {"issued_at": 1000.0, "fraction": 1.0}

    assert 1030.0 == kept_alive_at(**both, expires_at=None, refresh_expires_at=1000.0)
    assert 1030.0 == kept_alive_at(**both, expires_at=1010.0, refresh_expires_at=None)
    assert kept_alive_at(**both, expires_at=None, refresh_expires_at=None) is None
