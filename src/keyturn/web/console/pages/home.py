"""The overview: what there is, and what needs somebody."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.ports.store import ConnectionFilter
from keyturn.web.console.page import Page
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit

SHOWN: Final = 20


async def show_home(console: Console, visit: Visit) -> Response:
    """Connections by state, and those that need somebody."""
    application = console.application
    counts = await application.connections.counts()
    by_state: dict[str, int] = {}
    for (_, state), count in counts.items():
        by_state[state.value] = by_state.get(state.value, 0) + count
    needing = await application.connections.list(ConnectionFilter(state="needs_reconnect"), cursor=None, limit=SHOWN)
    connectors = await application.connectors.list()
    return console.page(visit, "home.html", by_state=by_state, needing=needing.items, connectors=connectors)


PAGES: Final = (Page("GET", "/", show_home, Permission.VIEW),)
