"""Addresses that can be used, and texts that are none."""

from __future__ import annotations

import pytest

from keyturn.core.urls.usable_url import usable_url


@pytest.mark.parametrize(
    ("url", "plain", "expected"),
    [
        pytest.param("https://id.example", False, True, id="https"),
        pytest.param("http://id.example", False, False, id="http"),
        pytest.param("http://id.example", True, True, id="http where it is allowed"),
        pytest.param("https://id.example/#x", False, False, id="a fragment"),
        pytest.param("https://", False, False, id="no host"),
        pytest.param("https://id.example:99999", False, False, id="no port"),
        pytest.param("https://id.example/ x", False, False, id="a blank"),
    ],
)
def test_usable_url(url: str, plain: bool, expected: bool) -> None:
    """Absolute, without a user or a fragment."""
    assert expected is usable_url(url, plain=plain)
