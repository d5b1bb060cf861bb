"""What stands before every application that answers with pages.

Rule 1: every answer carries the security headers, unless it sets them itself, and a request id of ours.
Rule 2: a form that does not come in time is cut off.
Rule 3: of an error that is none of ours only kind and place are logged.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from keyturn.core.crashes import crash_facts
from keyturn.web.kit.admission.body_time import CLOSE, in_time
from keyturn.web.kit.request_ids import RequestIds
from keyturn.web.kit.security_headers import OF_PAGE

TOO_SLOW: Final = 408
REQUEST_ID: Final = "keyturn.request_id"
ROUTE_KEY: Final = "keyturn.route"


class BrokenOff(Exception):
    """A page ended before its end; the server closes the connection, so that the browser sees it."""


class GuardedPages:
    """Names each request, and puts on each answer the headers that it does not set itself."""

    def __init__(self, inner: ASGIApp, request_ids: RequestIds, log: Any) -> None:
        self._inner = inner
        self._log = log
        self._request_ids = request_ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application within does, guarded."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        request_id = self._request_ids.next()
        whole = False

        async def send_guarded(message: MutableMapping[str, Any]) -> None:
            nonlocal whole
            whole = message["type"] == "http.response.body" and not message.get("more_body", False)
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                there = {name.lower() for name, _ in headers}
                headers += [(name, value) for name, value in OF_PAGE if name not in there]
                if message["status"] == TOO_SLOW:  # what is left of the body is not waited for
                    headers.append(CLOSE)
                message = {**message, "headers": [*headers, (b"keyturn-request-id", request_id)]}
            await send(message)

        name = request_id.decode("ascii")
        inner = {**scope, REQUEST_ID: name}
        try:
            await self._inner(inner, in_time(receive), send_guarded)
        except Exception as error:  # noqa: BLE001  (the page is out; the server would write it down whole)
            self._log.error("page_crashed", request_id=name, **crash_facts(error))
            if not whole:
                raise BrokenOff from None
        finally:
            scope[ROUTE_KEY] = route_of(inner)


class NamedRoute(Route):
    """A page's route that leaves its template in the request, for what is written down of it."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """See Starlette's."""
        match, found = super().matches(scope)
        if match is not Match.NONE:
            found = {**found, ROUTE_KEY: self.path}
        return match, found


def route_of(scope: Scope) -> str:
    """The template of the route that answers, or `none`."""
    return str(scope.get(ROUTE_KEY, "none"))
