"""A connector's quiet hours: times in which its provider is asked nothing that can wait."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from keyturn.core.renewal.quiet_hours import QuietHours, read_quiet_hours
from keyturn.engine.application import Application
from keyturn.web.control.caller import App, Caller, Calling
from keyturn.web.control.operations import Operation, Takes
from keyturn.web.control.routes.connectors import TAG
from keyturn.web.control.shapes.quiet_hours import QuietHoursAnswer, QuietHoursOrder, QuietWindow
from keyturn.web.control.shapes.showing import answer, maybe_time


async def get_quiet_hours(connector_id: str, app: App, caller: Calling) -> Response:
    """Read a connector's quiet hours."""
    caller.must_see(connector_id)
    return await _standing(app, caller, connector_id)


async def put_quiet_hours(connector_id: str, order: QuietHoursOrder, app: App, caller: Calling) -> Response:
    """Set a connector's quiet hours.

    In these times its provider is sent no renewal that can wait, no login with a kept password, no test or renewal of a
    bulk job, and no further try of a revocation. Renewals are made before or after them. A call that needs a renewal
    still gets it, and so does what a person asks for; with `strict`, no renewal is made at all, and such a call is
    answered `quiet_hours`.
    """
    caller.must_see(connector_id)
    hours = read_quiet_hours(order.model_dump(by_alias=True, exclude_none=True))
    await app.quiet_hours(connector_id, hours, caller.actor, project=caller.principal.project)
    return await _standing(app, caller, connector_id)


async def delete_quiet_hours(connector_id: str, app: App, caller: Calling) -> Response:
    """Take a connector's quiet hours back."""
    caller.must_see(connector_id)
    await app.quiet_hours(connector_id, None, caller.actor, project=caller.principal.project)
    return Response(status_code=204)


async def _standing(app: Application, caller: Caller, connector_id: str) -> Response:
    project = caller.principal.project
    found = await app.quiet_hours.of(connector_id, project=project)
    until = None if found is None else app.quiet_hours.times.until(connector_id, project)
    return answer(_answer_of(connector_id, found, until))


def _answer_of(connector_id: str, found: QuietHours | None, until: float | None) -> QuietHoursAnswer:
    windows = [QuietWindow(**each.document()) for each in found.windows] if found else []
    return QuietHoursAnswer(
        connector=connector_id,
        zone=found.zone if found else None,
        windows=windows,
        strict=found is not None and found.strict,
        quiet_until=maybe_time(until),
    )


_ONE: Final = "/v1/connectors/{connector_id}/quiet-hours"
_ORDER: Final[dict[str, Any]] = {
    "zone": "Europe/Berlin",
    "windows": [{"from": "02:00", "to": "04:00", "days": ["mon", "tue", "wed", "thu", "fri"]}],
    "strict": False,
}
_ANSWER: Final[dict[str, Any]] = {"connector": "acme", **_ORDER, "quiet_until": None}
_LIMITS: Final = ("owners",)  # they are about everybody's connections
OPERATIONS: Final = (
    Operation("GET", _ONE, get_quiet_hours, "read", {200: QuietHoursAnswer}, TAG, answer_example=_ANSWER),
    Operation(
        "PUT", _ONE, put_quiet_hours, "admin", {200: QuietHoursAnswer}, TAG,
        takes=Takes.JSON, example=_ORDER, answer_example=_ANSWER, unlimited_by=_LIMITS,
    ),
    Operation("DELETE", _ONE, delete_quiet_hours, "admin", {204: None}, TAG, unlimited_by=_LIMITS),
)  # fmt: skip
