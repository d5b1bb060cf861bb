"""The front door: what it adds to every answer."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import httpx
import pytest

from keyturn.bootstrap.front import AsgiApp, Receive, Scope, Send, https_only, make_front

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


@pytest.mark.parametrize("path", ["/v1/connections/a%0Ab", "/v1/%0D%0A", "/v1/%E2%80%A8x", "/v1/%00"])
async def test_what_is_under_v1_is_the_apis(path: str) -> None:
    """Whatever characters follow: no page of the console is reached without the check that the API makes first."""
    asked: list[str] = []

    def zone(name: str) -> AsgiApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            asked.append(name)
            await plain(scope, receive, send)

        return app

    front = make_front(*map(zone, ("dataplane", "control", "connect", "console")))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=front), base_url="https://k.example") as client:
        await client.get(path)
        await client.get("/v1x%0A")

    assert ["control", "console"] == asked
