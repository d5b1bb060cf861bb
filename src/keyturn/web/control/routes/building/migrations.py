"""Moving a connector's connections to its newest version: what it would do, and doing it as a job."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from keyturn.engine.jobs.bulk.bulk_order import KIND, BulkAction, BulkOrder
from keyturn.web.control.caller import App, Calling
from keyturn.web.control.operations import Operation, Takes
from keyturn.web.control.shapes.jobs import JobAnswer, job_answer
from keyturn.web.control.shapes.migrations import MigrationAnswer, NewMigration, migration_answer
from keyturn.web.control.shapes.showing import answer

TAG: Final = "connectors"
PLAN: Final[dict[str, Any]] = {
    "version": 4,
    "already": 12,
    "moves": 198,
    "older": [
        {
            "version": 3,
            "connections": 202,
            "changes": [{"step": 9, "risky": False, "sentence": "request.query.version is now “v2”."}],
        }
    ],
    "needs_login": [
        {"reason": "needs_reconnect", "connections": 4, "message": "It needs its person already."},
    ],
    "stays": [{"connection": "cxn_7q2", "reason": "needs_reconnect"}],
}
QUEUED: Final[dict[str, Any]] = {
    "id": "job_5f0c6e2d",
    "kind": KIND,
    "state": "queued",
    "action": "migrate",
    "filter": {"connector": "acme", "owner": None, "state": None, "search": None, "reason": None},
    "done": 0,
    "failed": 0,
    "total": None,
    "failures": {},
    "report": {},
    "last_error": None,
    "tries": 0,
    "cancelled_by": None,
    "created_by": "key:key_1",
    "created_at": "2030-01-31T12:00:00.000Z",
    "run_at": "2030-01-31T12:00:00.000Z",
    "started_at": None,
    "seen_at": None,
    "ended_at": None,
}


async def migrate_connections(connector_id: str, body: NewMigration, app: App, caller: Calling) -> Response:
    """Move connections to the newest version.

    Each connection's test call is sent as the newest version says, with the token that there is; those that pass, and
    are still the same account, go over to it. The others stay on theirs: a reconnect moves them. With `dry_run` nothing
    is sent and nothing changes: the answer says what the newest version changes, how many would go over, and which need
    their person and why. With `false` this is a job (202) that can be watched, cancelled and retried.
    """
    caller.must_see(connector_id)
    key = caller.principal
    if body.dry_run:
        plan = await app.plan_migration(connector_id, owners=frozenset(key.owners), project=key.project)
        return answer(migration_answer(plan))
    await app.published.newest(connector_id, project=key.project)
    order = BulkOrder(
        BulkAction.MIGRATE,
        connector_id,
        connectors=tuple(sorted(key.connectors)),
        owners=tuple(sorted(key.owners)),
    )
    made = await app.bulk_jobs.create(order, caller.actor, project=key.project)
    return answer(job_answer(made), 202, location=f"/v1/jobs/{made.id}")


OPERATIONS: Final = (
    Operation(
        "POST",
        "/v1/connectors/{connector_id}/migrate",
        migrate_connections,
        "admin",
        {200: MigrationAnswer, 202: JobAnswer},
        TAG,
        takes=Takes.JSON,
        problems=("connector_not_published",),
        example={"dry_run": True},
        answer_example=PLAN,
        status_examples={202: QUEUED},
    ),
)
