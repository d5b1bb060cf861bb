"""Stopping a connector's logins, for incidents: no password goes out for it until they are started again."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from keyturn.engine.application import Application
from keyturn.web.control.caller import App, Caller, Calling
from keyturn.web.control.operations import Operation
from keyturn.web.control.routes.connectors import TAG
from keyturn.web.control.shapes.answers import LoginStopAnswer
from keyturn.web.control.shapes.requests import Nothing
from keyturn.web.control.shapes.showing import answer, maybe_time


async def stop_logins(connector_id: str, app: App, caller: Calling, nothing: Nothing | None = None) -> Response:
    """Stop a connector's logins.

    No password is sent for it any more, by any process: neither a person's, nor a kept one, nor the answer to a
    challenge. Refreshes and calls go on. Stopping twice is fine.
    """
    caller.must_see(connector_id)
    await app.guards.stop_logins.stop(connector_id, caller.actor, project=caller.principal.project)
    return await _standing(app, caller, connector_id)


async def start_logins(connector_id: str, app: App, caller: Calling, nothing: Nothing | None = None) -> Response:
    """Start a connector's logins again."""
    caller.must_see(connector_id)
    await app.guards.stop_logins.start(connector_id, caller.actor, project=caller.principal.project)
    return await _standing(app, caller, connector_id)


async def _standing(app: Application, caller: Caller, connector_id: str) -> Response:
    since = await app.guards.stop_logins.stopped_since(connector_id, project=caller.principal.project)
    return answer(LoginStopAnswer(connector=connector_id, logins_stopped_since=maybe_time(since)))


_ONE: Final = "/v1/connectors/{connector_id}"
_STOPPED: Final[dict[str, Any]] = {"connector": "acme", "logins_stopped_since": "2030-01-31T12:00:00.000Z"}
_LIMITS: Final = ("owners",)  # it is about everybody's connections
OPERATIONS: Final = (
    Operation(
        "POST", f"{_ONE}/stop-logins", stop_logins, "admin", {200: LoginStopAnswer}, TAG,
        answer_example=_STOPPED, unlimited_by=_LIMITS,
    ),
    Operation(
        "POST", f"{_ONE}/start-logins", start_logins, "admin", {200: LoginStopAnswer}, TAG,
        answer_example={**_STOPPED, "logins_stopped_since": None}, unlimited_by=_LIMITS,
    ),
)  # fmt: skip
