"""Which headers of a caller go to the API."""

from __future__ import annotations

import pytest

from keyturn.core.requests.caller_headers import is_sent_on
from keyturn.web.dataplane.request_head import Kind, _kind_of

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
