"""The list of connections: counts by state above it, a filter in the address, pages by cursor.

Rule: the counts are of the other parts of the filter, so that each says what its link shows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.engine.jobs.bulk.bulk_order import BulkAction
from keyturn.web.console.page import Page
from keyturn.web.console.pages.connections.asked import STATES, Asked
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit

SHOWN: Final = 50
ACTIONS: Final = {
    BulkAction.TEST: "Test",
    BulkAction.RENEW: "Renew",
    BulkAction.PAUSE: "Pause",
    BulkAction.RESUME: "Resume",
    BulkAction.RECONNECT_LINKS: "Make reconnect links",
    BulkAction.MIGRATE: "Move to the newest version",
    BulkAction.DISCONNECT: "Disconnect",
}


async def show_connections(console: Console, visit: Visit) -> Response:
    """Those that match, newest first."""
    application, asked = console.application, Asked.of_query(visit)
    page = await application.connections.list(asked.filter(), cursor=visit.query("cursor") or None, limit=SHOWN)
    counts = await application.overview.states(replace(asked, state="").filter())
    return console.page(
        visit,
        "connections/list.html",
        asked=asked,
        rows=page.items,
        next_cursor=page.next_cursor,
        cursor=visit.query("cursor"),
        counts=[(state, counts[state]) for state in STATES if counts.get(state)],
        every=sum(counts.values()),
        connectors=await application.connectors.list(),
        states=STATES,
        actions=ACTIONS,
    )


PAGES: Final = (Page("GET", "/connections", show_connections, Permission.VIEW),)
