"""Moving connections to the newest version: what it would do, and the job that does it."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.building.moving import WORDS
from keyturn.engine.jobs.bulk.bulk_order import BulkAction, BulkOrder
from keyturn.web.console.page import Page
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit


async def show_plan(console: Console, visit: Visit) -> Response:
    """A dry run: nothing is sent."""
    connector_id, application = visit.path("connector"), console.application
    plan = await application.plan_migration(connector_id)
    newest = await application.published.newest(connector_id)
    return console.page(
        visit,
        "connectors/move.html",
        connector=newest.connector,
        plan=plan,
        words=WORDS,
        may_move=visit.may(Permission.OPERATE),
    )


async def post_move(console: Console, visit: Visit) -> Response:
    """Queue the job and show it."""
    await console.application.published.newest(visit.path("connector"))
    order = BulkOrder(BulkAction.MIGRATE, visit.path("connector"))
    job = await console.application.bulk_jobs.create(order, visit.actor)
    return console.back(f"/jobs/{job.id}", said="queued")


_MOVE: Final = "/connectors/{connector}/move"
PAGES: Final = (
    Page("GET", _MOVE, show_plan, Permission.VIEW),
    Page("POST", _MOVE, post_move, Permission.OPERATE),
)
