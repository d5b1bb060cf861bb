"""Tests of spans as authors write them."""

from __future__ import annotations

import pytest

from keyturn.core.format.durations import parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("15m", 900.0),
        ("90s", 90.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
        ("500ms", 0.5),
        ("1.5h", 5400.0),
        (90, 90.0),
        (0.25, 0.25),
        ("90", None),
        ("15 m", None),
        ("m", None),
        ("-1s", None),
        ("1h30m", None),
        ("1w", None),
        ("1S", None),
        ("١s", None),
        (True, None),
        (None, None),
        ([], None),
    ],
)
def test_a_duration(written: object, seconds: float | None) -> None:
    """A number with one unit, or plain seconds; all else is none."""
    assert seconds == parse_duration(written)
