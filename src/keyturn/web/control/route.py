"""How each operation is run: scope, then the body, then the operation itself; every failure becomes a problem.

Rule 1: the order is 403, 429, 413 and 415, 400 and 422, then the object. The key itself was checked at the door.
Rule 2: the framework parses a body only after this has read and checked it.
Rule 3: an exception that is not of our tree is logged by its place and answered as `internal_error`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from keyturn.core.errors import Finding, KeyturnError, NotFound, ValidationFailed
from keyturn.engine.abuse.rate_limits import API, SIGN_IN
from keyturn.engine.application import Application
from keyturn.ports.access.idempotency import StoredReply
from keyturn.web.control.bodies import CONNECTOR_TYPES, JSON_TYPES, read_body
from keyturn.web.control.caller import caller_in
from keyturn.web.control.crashes import write_down
from keyturn.web.control.idempotency import HEADER, REPLAYED, Claim, Replays
from keyturn.web.control.next_steps import next_url
from keyturn.web.control.operations import PUBLIC, Operation, Takes
from keyturn.web.control.shapes import requests, webhooks
from keyturn.web.control.shapes.building import comparing
from keyturn.web.control.shapes.validation import validation_failed
from keyturn.web.control.shown_once import link_text
from keyturn.web.kit.problems import problem_answer
from keyturn.web.kit.strict_json import parse_json

OPERATION: Final = "x-keyturn-operation"
ANY_TEXT: Final = "owner"  # the one path parameter that is no id of ours
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_MODELS: Final = [
    each
    for module in (requests, comparing, webhooks)
    for each in vars(module).values()
    if isinstance(each, type) and issubclass(each, BaseModel)
]
NAMES: Final = frozenset(name for model in _MODELS for name in model.model_fields)

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class ControlRoute(APIRoute):
    """A route of the control plane; its operation stands in the table."""

    def get_route_handler(self) -> Handler:
        """Wrap the framework's handler."""
        run = super().get_route_handler()
        name, asks = (self.openapi_extra or {})[OPERATION], bool(self.dependant.query_params)

        async def guarded(request: Request) -> Response:
            return await Run(request, request.app.state.operations[name], run, asks=asks).answer()

        return guarded


class Run:
    """One request at one operation."""

    def __init__(self, request: Request, operation: Operation, handler: Handler, *, asks: bool) -> None:
        """`asks`: the operation has query parameters."""
        self._asks = asks
        self._named: dict[str, str] = {}
        self._request = request
        self._operation = operation
        self._handler = handler
        self._application: Application = request.app.state.application
        self._replays: Replays = request.app.state.replays
        self._caller = caller_in(request.scope)

    async def answer(self) -> Response:
        """Run it; every outcome is an answer."""
        try:
            if self._operation.scope != PUBLIC:
                self._admit()
            raw = await self._body()
            value = parse_json(raw) if raw and self._operation.takes is not Takes.CONNECTOR else None
            self._check_address()
            self._named = _connector_named(value)
            return await self._once(raw, value)
        except KeyturnError as error:
            return await self.problem(error)
        except Exception as error:  # noqa: BLE001  (written down, without what a traceback could show)
            request_id = self._caller.request_id
            write_down(error, "operation_crashed", request_id=request_id, operation=self._operation.name)
            return problem_response(error, request_id)

    def _admit(self) -> None:
        """Raise ForbiddenScope, or RateLimited; only what the key may do is counted."""
        caller, limits = self._caller, self._application.guards.rate_limits
        caller.principal.require(self._operation.scope)
        caller.must_be_unlimited_by(self._operation.unlimited_by)
        caller.standings.add(limits.take(API, caller.principal.id))
        if self._operation.signs_in:
            caller.standings.add(limits.take(SIGN_IN, caller.principal.id))

    async def _body(self) -> bytes:
        if self._operation.method not in ("POST", "PUT", "PATCH"):
            return b""
        connector = self._operation.takes is Takes.CONNECTOR
        return await read_body(self._request, CONNECTOR_TYPES if connector else JSON_TYPES)

    def _check_address(self) -> None:
        """Refuse ids that no object can have, and parameters that stand twice; each is a question to the store less."""
        for name, value in self._request.path_params.items():
            if name != ANY_TEXT and not _ID.fullmatch(value):
                raise NotFound
        given = self._request.query_params.multi_items()
        if given and not self._asks and self._operation.scope != PUBLIC:
            raise ValidationFailed(errors=[Finding("", "unknown_member", "There are no parameters here.")])
        if len(given) != len({name for name, _ in given}):
            raise ValidationFailed(errors=[Finding("", "repeated", "A parameter stands twice.")])

    async def _once(self, raw: bytes, value: Any) -> Response:
        key = self._request.headers.get(HEADER)
        if key is None or not self._operation.replayable:
            return await self._run(raw, value)
        place = f"{self._operation.method} {self._request.url.path}?{self._request.url.query}"
        claim = await self._replays.begin(key, self._caller.principal.id, place, value, raw)
        if isinstance(claim, StoredReply):
            return await self._replay(claim)
        return await self._claimed(claim, raw, value)

    async def _claimed(self, claim: Claim, raw: bytes, value: Any) -> Response:
        try:
            response = await self._run(raw, value)
        except KeyturnError as error:
            response = await self.problem(error)
            await self._replays.refused(claim, error, response)
            return response
        await self._replays.finish(claim, response, self._operation.secret)
        return response

    async def _replay(self, reply: StoredReply) -> Response:
        body = reply.body or b""
        if "url" in self._operation.secret and body:
            members = json.loads(body)
            session = members.get("id")  # of a connect link; any other is shown once and never again
            link = await self._application.connect_sessions.link_again(session, self._caller.actor) if session else None
            again = {**members, "url": link_text(link) if link else None}
            body = json.dumps(again, ensure_ascii=False, separators=(",", ":")).encode()
        return Response(body, reply.status or 200, {**dict(reply.headers), REPLAYED: "true"})

    async def _run(self, raw: bytes, value: Any) -> Response:
        if self._operation.takes is Takes.NOTHING and value not in (None, {}):
            raise ValidationFailed(errors=[Finding("", "unknown_member", "Nothing is read here but an empty object.")])
        try:
            return await self._handler(Request(self._request.scope, _replaying(raw)))
        except RequestValidationError as error:
            raise validation_failed(error.errors(), NAMES) from None

    async def problem(self, error: KeyturnError) -> Response:
        """Say a failure as a problem, with the place of its next step."""
        caller = self._caller
        self._request.app.state.refusals.note(
            error,
            self._request.scope,
            route=self._operation.path,
            request_id=caller.request_id,
            actor=caller.actor_name,
        )
        place: Mapping[str, str] = {**self._named, **self._request.path_params, "path": self._request.url.path}
        url = await next_url(error, self._application, self._caller, place)
        return problem_response(error, self._caller.request_id, next_url=url or None)


def problem_response(error: BaseException, request_id: str, *, next_url: str | None = None) -> Response:
    """The kit's answer as a response of the framework's."""
    made = problem_answer(error, request_id=request_id, next_url=next_url)
    response = Response(made.body, made.status)
    response.raw_headers = list(made.headers)
    return response


def _connector_named(value: Any) -> dict[str, str]:
    """The connector that a body names, for the address of the next step, if it is one that there can be."""
    name = value.get("connector") if isinstance(value, Mapping) else None
    return {"connector_id": name} if isinstance(name, str) and _ID.fullmatch(name) else {}


def _replaying(raw: bytes) -> Callable[[], Awaitable[dict[str, Any]]]:
    """A channel that gives out a body that was read already."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": raw, "more_body": False}

    return receive
