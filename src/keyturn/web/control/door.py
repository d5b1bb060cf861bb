"""The door of the control plane: a name for each request, the key before everything else, headers on every answer.

Rule 1: a request without a good key is answered before its route, its length or its body are looked at.
Rule 2: every answer carries the security headers and its request id, whoever made it.
Rule 3: HEAD is GET without the body. Counters know routes by their template, so that no caller makes new series.
Rule 4: a body that does not come in time is cut off.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter

from keyturn.core.errors import KeyturnError
from keyturn.engine.api_keys import Principal
from keyturn.engine.application import Application
from keyturn.web.control.caller import SCOPE_KEY, Caller, key_of
from keyturn.web.control.crashes import write_down
from keyturn.web.kit.admission.body_time import in_time
from keyturn.web.kit.admission.rate_headers import Standings, standing_headers
from keyturn.web.kit.headers import OF_DATA
from keyturn.web.kit.metric import Kind, Metric
from keyturn.web.kit.problems import ProblemAnswer, problem_answer
from keyturn.web.kit.refusals import Refusals
from keyturn.web.kit.request_ids import RequestIds

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

NOBODY: Final = Principal("", frozenset())
REQUEST_ID: Final = b"keyturn-request-id"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})
ROUTE_KEY: Final = "keyturn.route"
REQUESTS: Final = Metric(
    "keyturn_control_requests",
    Kind.COUNTER,
    "Requests to the control plane.",
    (
        ("method", "a method that the control plane takes, or `other`"),
        ("route", "a path's template, as the OpenAPI document has it, or `none`"),
        ("status", "the status that was answered"),
    ),
)


def request_counter(registry: CollectorRegistry) -> Counter:
    """What the door counts, in a registry of the caller's."""
    return Counter(REQUESTS.name, REQUESTS.help, [name for name, _ in REQUESTS.labels], registry=registry)


class Door:
    """The outermost ASGI application of the zone."""

    def __init__(
        self, inner: App, application: Application, public: frozenset[str], requests: Counter, refusals: Refusals
    ) -> None:
        """`public`: the paths that need no key. `requests`: what `request_counter` makes."""
        self._refusals = refusals
        self._requests = requests
        self._inner = inner
        self._application = application
        self._public = public
        self._ids = RequestIds(application.entropy)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; other kinds of scope pass through."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        request_id = self._ids.next()
        out = _Out(send, request_id, without_body=scope["method"] == "HEAD")
        try:
            await self._enter(scope, receive, out, request_id.decode())
        except KeyturnError as error:
            self._refusals.note(error, scope, route=scope.get(ROUTE_KEY, "none"), request_id=request_id.decode())
            await _refuse(out, problem_answer(error, request_id=request_id.decode()))
        except Exception as error:
            write_down(error, "request_crashed", request_id=request_id.decode())
            if out.status is not None:
                raise  # half an answer is out: only cutting the connection says so
            await _refuse(out, problem_answer(error, request_id=request_id.decode()))
        finally:
            method = scope["method"] if scope["method"] in METHODS else "other"
            route = scope.get(ROUTE_KEY, "none")
            self._requests.labels(method, route, str(out.status or 0)).inc()

    async def _enter(self, scope: Scope, receive: Receive, out: _Out, request_id: str) -> None:
        principal = NOBODY
        if scope["path"] not in self._public:
            principal = await self._application.api_keys.authenticate(key_of(scope["headers"]))
        inner = dict(scope)
        inner[SCOPE_KEY] = Caller(principal, request_id, out.standings)
        if inner["method"] == "HEAD":
            inner["method"] = "GET"
        try:
            await self._inner(inner, in_time(receive), out)
        finally:
            scope[ROUTE_KEY] = getattr(inner.get("route"), "path", "none")


class _Out:
    """Sends, and puts on what every answer carries."""

    def __init__(self, send: Send, request_id: bytes, *, without_body: bool) -> None:
        self._send = send
        self._request_id = request_id
        self._without_body = without_body
        self.status: int | None = None
        self.standings = Standings()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [(name.lower(), value) for name, value in message.get("headers", ())]
            known = {name for name, _ in headers}
            more = [(name, value) for name, value in OF_DATA if name not in known]
            more += standing_headers(self.standings)
            if REQUEST_ID not in known:
                more.append((REQUEST_ID, self._request_id))
            message = {**message, "headers": [*headers, *more]}
        elif message["type"] == "http.response.body" and self._without_body:
            message = {**message, "body": b""}
        await self._send(message)


async def _refuse(out: _Out, answer: ProblemAnswer) -> None:
    await answer.send(out)
