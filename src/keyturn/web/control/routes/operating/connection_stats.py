"""What a connection is used for, in figures."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from keyturn.web.control.caller import App, Calling
from keyturn.web.control.operations import Operation
from keyturn.web.control.shapes.overview import HourAnswer, StatsAnswer
from keyturn.web.control.shapes.showing import answer, time_of

TAG: Final = "connections"
SHOWN_S: Final = 24 * 3600.0
EXAMPLE: Final[dict[str, Any]] = {
    "since": "2030-01-30T12:10:00.000Z",
    "hours": [{"start": "2030-01-31T11:00:00.000Z", "calls": 41, "failed": 2}],
}


async def connection_stats(connection_id: str, app: App, caller: Calling) -> Response:
    """Count a connection's calls by the hour.

    Of the last 24 hours, by all processes.
    """
    await caller.connection(app, connection_id)
    since = app.clock.now() - SHOWN_S
    counted = await app.overview.calls(connection_id, since)
    hours = [
        HourAnswer(start=time_of(float(start)), calls=calls, failed=failed)
        for start, (calls, failed) in sorted(counted.items())
    ]
    return answer(StatsAnswer(since=time_of(since), hours=hours))


OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/connections/{connection_id}/stats",
        connection_stats,
        "read",
        {200: StatsAnswer},
        TAG,
        answer_example=EXAMPLE,
    ),
)
