"""When refusals look like one password tried on many accounts."""

from __future__ import annotations

import pytest

from keyturn.core.access.spraying import LIMITS, SprayLimit, Verdict, Watched, judge

LIMIT = SprayLimit(100)


@pytest.mark.parametrize(
    ("refused", "under_way", "passed", "expected"),
    [
        pytest.param(99, 0, 0, Verdict.SEND, id="one below"),
        pytest.param(100, 0, 0, Verdict.HOLD, id="the limit"),
        pytest.param(99, 1, 0, Verdict.WAIT, id="one under way could reach it"),
        pytest.param(0, 300, 0, Verdict.WAIT, id="a crowd of which nothing is known"),
        pytest.param(0, 99, 0, Verdict.SEND, id="a smaller one"),
        pytest.param(100, 0, 50, Verdict.SEND, id="a busy day"),
        pytest.param(101, 0, 50, Verdict.HOLD, id="a little too busy"),
        pytest.param(600, 60, 330, Verdict.SEND, id="two of three mistype"),
    ],
)
def test_judge(refused: int, under_way: int, passed: int, expected: Verdict) -> None:
    """Many are refused, and more than twice as many as get in."""
    assert expected == judge(LIMIT, refused=refused, under_way=under_way, passed=passed)


@pytest.mark.parametrize("kind", list(Watched))
def test_one_source_is_held_before_all_are(kind: Watched) -> None:
    """What one key, owner or address does can't make the whole connector be held."""
    assert LIMITS[kind].accounts < LIMITS[Watched.CONNECTOR].accounts or kind is Watched.CONNECTOR
