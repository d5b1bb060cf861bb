"""Who may talk to a server that runs on someone's own machine.

Any page in the person's browser can send requests to 127.0.0.1. So a Host other than this machine's names is refused
(a name that was rebound to 127.0.0.1 would show itself there), and a form or JSON from another origin changes nothing.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

OWN_NAMES = frozenset({"localhost", "127.0.0.1"})


class OwnHostOnly:
    """Answer 421 to a request for another host."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on when its Host is `localhost` or `127.0.0.1`, with any port or none."""
        if scope["type"] == "http" and not _is_own(Headers(scope=scope).getlist("host")):
            refusal = PlainTextResponse("This server answers to localhost and 127.0.0.1 only.\n", 421)
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)


def is_same_origin(request: Request, *, absent_is_fine: bool = False) -> bool:
    """Say whether a request comes from this server's own pages.

    Browsers put Origin on every POST. `absent_is_fine` is for endpoints that programs use, which send none.
    """
    origin = request.headers.get("origin")
    if origin is None:
        return absent_is_fine
    return origin == f"http://{request.headers.get('host', '')}"


def _is_own(hosts: list[str]) -> bool:
    if len(hosts) != 1:
        return False
    name, _, port = hosts[0].partition(":")
    return name.lower() in OWN_NAMES and (port.isdecimal() or ":" not in hosts[0])
