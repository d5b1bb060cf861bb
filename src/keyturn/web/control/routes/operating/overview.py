"""The overview: how everything stands, whom it needs, and what is due."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Query
from starlette.responses import Response

from keyturn.web.control.caller import App, Calling
from keyturn.web.control.operations import LIMITS, Operation
from keyturn.web.control.shapes.overview import OverviewAnswer, OverviewQuery, overview_answer
from keyturn.web.control.shapes.showing import answer

TAG: Final = "instance"
_QUANTILES: Final = {"p50_s": 0.1, "p95_s": 0.25}
EXAMPLE: Final[dict[str, Any]] = {
    "at": "2030-01-31T12:00:30.000Z",
    "range": "1h",
    "since": "2030-01-31T11:05:00.000Z",
    "until": "2030-01-31T12:05:00.000Z",
    "recorded_since": "2030-01-01T00:00:00.000Z",
    "states": {"active": 1204, "needs_reconnect": 9},
    "connectors": [{"connector": "acme", "states": {"active": 1204, "needs_reconnect": 9}}],
    "attention": 9,
    "due_soon": 41,
    "overdue": 1,
    "oldest_overdue": {"connection": "cxn_7q2", "due_at": "2030-01-31T11:58:00.000Z"},
    "needs": [
        {
            "connector": "acme",
            "reason": "provider_credentials_rejected",
            "count": 9,
            "since": "2030-01-29T12:00:00.000Z",
        }
    ],
    "endings": [{"connector": "acme", "count": 23, "first": "2030-02-03T09:00:00.000Z"}],
    "failing": [{"connector": "acme", "code": "provider_timeout", "alarm": False}],
    "troubles": [
        {
            "connector": "zeta",
            "code": "unique_id_missing",
            "count": 3,
            "first": "2030-01-31T10:00:00.000Z",
            "last": "2030-01-31T11:40:00.000Z",
        }
    ],
    "renewals": [{"start": "2030-01-31T12:00:00.000Z", "renewed": 4, "retried": 1, "lost": 0}],
    "sends": [{"connector": "acme", "failed": [1], "sent": [5]}],
    "codes": {"provider_timeout": 1},
    "expiries": [{"start": "2030-01-31T12:00:30.000Z", "count": 40, "alone": 2}],
    "jobs_running": 0,
    "webhooks_waiting": 3,
    "encryption_key_since": "2029-11-02T08:00:00.000Z",
    "audit_verified_at": "2030-01-31T04:00:00.000Z",
    "call_times": [
        {
            "connector": "acme",
            "start": "2030-01-31T11:00:00.000Z",
            "count": 812,
            "client_errors": 4,
            "server_errors": 1,
            "provider": _QUANTILES,
            "keyturn": {"p50_s": 0.001, "p95_s": 0.0025},
            "whole": _QUANTILES,
        }
    ],
}


async def get_overview(app: App, caller: Calling, query: Annotated[OverviewQuery, Query()]) -> Response:
    """Say how everything stands.

    Connections by state, renewals that are due, whom a connection needs and why, which connectors fail. It is of all
    connectors and owners, so that a key which is limited to some may not read it. `range`: `1h`, `24h`, `7d` or `30d`.
    """
    return answer(overview_answer(await app.board(query.range)))


OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/overview",
        get_overview,
        "read",
        {200: OverviewAnswer},
        TAG,
        unlimited_by=LIMITS,
        answer_example=EXAMPLE,
    ),
)
