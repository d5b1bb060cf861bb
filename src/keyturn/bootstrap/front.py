"""The front door: one port, and behind it the zones that don't know each other."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from email.utils import formatdate
from typing import Any, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

PROXY = "/v1/proxy/"
# As they were sent: an escape in them leads to the control plane, which knows no such path.
HANDS_OUT = re.compile(rb"/v1/forward-auth|/v1/connections/[^/]+/token")
PAGES = ("/c/", "/connect/", "/my/", "/static/", "/connect.js")
# What programs ask for, whatever characters follow; every other path is a page of the console, or none.
FOR_PROGRAMS = re.compile(r"/v1(/.*)?|/(healthz|readyz|metrics|openapi\.json)", re.DOTALL)
# Two years (RFC 6797; OWASP ASVS 5.0, 3.4.1). An API's own header of this name never gets this far.
HTTPS_ONLY = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")


def dated(app: AsgiApp) -> AsgiApp:
    """Put a Date on answers that have none (RFC 9110 §6.6.1): the server leaves it to us, as an API sends its own."""

    async def with_date(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"date", formatdate(usegmt=True).encode())]}
            await send(message)

        await app(scope, receive, sending)

    return with_date


def https_only(app: AsgiApp) -> AsgiApp:
    """Tell browsers on every answer to come by https alone, from now on."""

    async def over_https(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], HTTPS_ONLY]}
            await send(message)

        await app(scope, receive, sending)

    return over_https


def make_front(dataplane: AsgiApp, control: AsgiApp, connect: AsgiApp, console: AsgiApp) -> AsgiApp:
    """Hand each request to its zone by the first part of its path, and websockets to none."""
    control, connect, console, hand_out = dated(control), dated(connect), dated(console), dated(dataplane)

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            path: str = scope["path"]
            if path.startswith(PROXY):
                await dataplane(scope, receive, send)
            elif path.startswith(PAGES):
                await connect(scope, receive, send)
            elif HANDS_OUT.fullmatch(scope["raw_path"]):
                await hand_out(scope, receive, send)
            elif FOR_PROGRAMS.fullmatch(path):
                await control(scope, receive, send)
            else:
                await console(scope, receive, send)
        elif kind == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1002})
        elif kind == "lifespan":
            raise RuntimeError("the runtime starts and stops the application itself")

    return front
