"""Disconnecting: a page that says what will happen, and one that says what the provider answered."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.connection import Connection
from keyturn.core.errors import KeyturnError, NotFound
from keyturn.web.console.page import Page
from keyturn.web.console.pages.connections.shown import connection_page, found, version_of
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit

TEMPLATE: Final = "connections/disconnect.html"


async def show_disconnect(console: Console, visit: Visit) -> Response:
    """Say what will happen; once it has, what came of it."""
    return await _page(console, visit, await found(console, visit))


async def post_disconnect(console: Console, visit: Visit) -> Response:
    """End it; the page behind says what the provider answered."""
    connection = await found(console, visit)
    forget = visit.form.text("forget") == "now"
    try:
        await console.application.disconnect(connection.id, visit.actor, forget_now=forget)
    except NotFound:
        raise
    except KeyturnError as error:
        return await _page(console, visit, await found(console, visit), failed=error)
    return console.back(f"/connections/{connection.id}/disconnect", said="ended")


async def _page(
    console: Console, visit: Visit, connection: Connection, *, failed: KeyturnError | None = None
) -> Response:
    connector = await version_of(console, connection)
    revoke = connector.revoke if connector is not None else None
    host = _host(revoke.request.url.source) if revoke is not None else None
    return await connection_page(
        console, visit, connection, TEMPLATE, failed=failed, revoke_host=host,
        revocation=connection.revocation,
    )  # fmt: skip


def _host(url: str) -> str:
    """The host as the author wrote it; a value that is put in stays a name."""
    return urlsplit(url).netloc if "://" in url else url


_ONE: Final = "/connections/{connection}/disconnect"
PAGES: Final = (
    Page("GET", _ONE, show_disconnect, Permission.OPERATE),
    Page("POST", _ONE, post_disconnect, Permission.OPERATE),
)
