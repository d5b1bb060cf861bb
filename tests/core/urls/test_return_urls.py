"""Where a person may be sent back to."""

from __future__ import annotations

import pytest

from keyturn.core.urls.return_urls import origin_allowed, origin_of, return_url_allowed


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        pytest.param("https://app.example/done?x=1", "https://app.example", id="without a port"),
        pytest.param("https://APP.example:443/", "https://app.example", id="upper case and the usual port"),
        pytest.param("https://app.example:8443/a", "https://app.example:8443", id="another port"),
        pytest.param("http://[::1]:3000/done", "http://[::1]:3000", id="loopback of IPv6"),
    ],
)
def test_the_origin_of_an_address(url: str, origin: str) -> None:
    """As browsers write it, so that it can be looked up in a list of origins."""
    assert return_url_allowed(url)
    assert origin == origin_of(url)
    assert origin_allowed(origin)
