"""Which headers of a caller go to the API."""

from __future__ import annotations

import pytest

from keyturn.core.requests.caller_headers import is_sent_on
from keyturn.web.dataplane.request_head import _SPECIAL, Kind, _kind_of
from keyturn.web.kit.headers import HOP_BY_HOP

NAMES = (
    b"accept", b"authorization", b"connection", b"content-length", b"content-type", b"cookie", b"cookie2", b"expect",
    b"forwarded", b"host", b"keep-alive", b"keyturn-base-url", b"keyturn-key", b"keyturn-x", b"proxy-authorization",
    b"proxy-connection", b"range", b"te", b"trailer", b"transfer-encoding", b"transfer_encoding", b"upgrade", b"via",
    b"x-forwarded-for", b"x_forwarded_host", b"x-http-host-override", b"x-original-host", b"x-original-uri",
    b"x-original-url", b"x-real-ip", b"x_real_ip", b"x-rewrite-url", b"x-trace",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name.decode())
def test_the_console_and_the_proxy_agree(name: bytes) -> None:
    """One call goes out the same through both doors."""
    assert (_kind_of(name) is Kind.SENT) is is_sent_on(name)


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP | _SPECIAL.keys()), ids=lambda name: name.decode())
def test_what_is_of_one_connection_or_read_here_goes_no_further(name: bytes) -> None:
    """In neither spelling."""
    assert not is_sent_on(name)
    assert not is_sent_on(name.replace(b"-", b"_"))


@pytest.mark.parametrize("name", [b"x-hostname", b"x-client", b"original", b"x-request-id", b"cf-ray", b"via-x"])
def test_neighbours_are_sent_on(name: bytes) -> None:
    """A name that only looks like one of them is the application's own."""
    assert is_sent_on(name)
