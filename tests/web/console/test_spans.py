"""Times as people say them."""

from __future__ import annotations

import pytest

from keyturn.web.console.spans import ago

NOW = 1_700_000_000.0
DAY = 86_400.0


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        pytest.param(None, "never", id="no time"),
        pytest.param(0.4, "now", id="at once"),
        pytest.param(-119.0, "1 minute ago", id="what is past is cut"),
        pytest.param(30 * 60 - 0.2, "in 30 minutes", id="what is to come is rounded"),
        pytest.param(365 * DAY - 5.0, "in 365 days", id="a year, just now"),
        pytest.param(59.5 * 60, "in 1 hour", id="as good as an hour"),
        pytest.param(45 * 60, "in 45 minutes", id="not an hour"),
        pytest.param(-59.5 * 60, "59 minutes ago", id="an hour that is not over"),
    ],
)
def test_how_far_a_time_is(distance: float | None, words: str) -> None:
    """In its largest whole unit."""
    assert words == ago(None if distance is None else NOW + distance, NOW)
