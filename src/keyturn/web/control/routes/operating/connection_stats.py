"""What a connection is used for, in figures."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from keyturn.core.observing.call_hour import last_day
from keyturn.web.control.caller import App, Calling
from keyturn.web.control.operations import Operation
from keyturn.web.control.shapes.overview import StatsAnswer
from keyturn.web.control.shapes.showing import answer, hour_answers, time_of

TAG: Final = "connections"
EXAMPLE: Final[dict[str, Any]] = {
    "since": "2030-01-30T13:00:00.000Z",
    "hours": [{"start": "2030-01-31T11:00:00.000Z", "calls": 41, "failed": 2}],
}


async def connection_stats(connection_id: str, app: App, caller: Calling) -> Response:
    """Count a connection's calls by the hour.

    Of the last 24 hours, the one that runs included, by all processes.
    """
    await caller.connection(app, connection_id)
    since = last_day(app.clock.now())[0]
    counted = await app.overview.calls([connection_id], since)
    return answer(StatsAnswer(since=time_of(since), hours=hour_answers(counted.get(connection_id, ()))))


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
