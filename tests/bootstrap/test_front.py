"""The front door: what it adds to every answer."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import httpx

from keyturn.bootstrap.front import Receive, Scope, Send, https_only, make_front

DAY_S = 86400
NAME = "strict-transport-security"
PATHS = ("/v1/proxy/con_1/x", "/c/link", "/v1/connections", "/v1/connections/con_1/token", "/people", "/healthz")


async def plain(_scope: Scope, _receive: Receive, send: Send) -> None:
    """An answer with one header."""
    start: MutableMapping[str, Any] = {"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]}
    await send(start)
    await send({"type": "http.response.body", "body": b"ok"})


async def test_https_stays_https() -> None:
    """Behind https every door says so once, for more than a year and for subdomains; on plain http none does."""
    front = make_front(plain, plain, plain, plain)
    for app, expected in ((https_only(front), 1), (front, 0)):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://k.example") as client:
            answers = [await client.get(path) for path in PATHS]

        said = [each.headers.get_list(NAME) for each in answers]
        assert [expected] * len(PATHS) == [len(each) for each in said]
        assert ["1"] * len(PATHS) == [each.headers["x-own"] for each in answers]
        for each in said if expected else []:
            age, _, subdomains = each[0].partition("; ")
            assert int(age.removeprefix("max-age=")) > 365 * DAY_S
            assert "includeSubDomains" == subdomains
