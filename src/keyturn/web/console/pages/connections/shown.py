"""One connection as its pages show it: its head, what it keeps, and why it is as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from keyturn.core.connection import Connection
from keyturn.core.connector import Connector
from keyturn.core.errors import KeyturnError, NotFound
from keyturn.core.explain import Alarm, Explanation, expires_soon, explain
from keyturn.core.problems import PROBLEMS
from keyturn.core.renewal.attention import needs_attention, ways_of
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit


@dataclass(frozen=True, slots=True)
class Kept:
    """One thing that is kept. Times are Unix seconds; `until` None: no end is known."""

    what: str
    since: float | None
    until: float | None = None
    sealed: bool = True


async def found(console: Console, visit: Visit) -> Connection:
    """The connection of this page. NotFound."""
    connection = await console.application.connections.shown(visit.path("connection"))
    if connection is None:
        raise NotFound("There is no such connection.")
    return connection


async def version_of(console: Console, connection: Connection) -> Connector | None:
    """The version that it is pinned to, if it is still there."""
    try:
        return await console.application.published.version(
            connection.connector, connection.connector_version, project=connection.project
        )
    except NotFound:
        return None


async def why(console: Console, connection: Connection, connector: Connector | None) -> Explanation:
    """Why it is as it is, and whose move it is."""
    now, alarm = console.now(), console.application.gate.alarmed(connection.connector)
    found_alarm = Alarm(alarm[0], alarm[1], now + alarm[2]) if alarm else None
    quiet = console.application.quiet_hours.times.until(connection.connector, connection.project)
    return explain(connection, connector, now, found_alarm, quiet)


def kept(connection: Connection) -> list[Kept]:
    """What is stored of it, since when and until when; no value of it."""
    issued = connection.token_issued_at
    if connection.ended:
        until = connection.revocation.get("kept_until")
        words = {"access_token": "access token, to revoke it", "refresh_token": "refresh token, to revoke it"}
        return [Kept(words[each], issued, until) for each in connection.revocation.get("kept", ()) if each in words]
    rows = [] if issued is None else [Kept("access token", issued, connection.expires_at)]
    if connection.refreshable:
        rows.append(Kept("refresh token", issued))
    if connection.password_kept_at is not None:
        rows.append(Kept("user name and password", connection.password_kept_at))
    rows += [Kept(f"field {key}", None, sealed=True) for key in sorted(connection.sealed_fields)]
    rows += [Kept(f"field {key}", None, sealed=False) for key in sorted(connection.fields)]
    return rows


async def connection_page(
    console: Console,
    visit: Visit,
    connection: Connection,
    template: str,
    *,
    status: int = 200,
    failed: KeyturnError | None = None,
    **more: Any,
) -> Response:
    """A page about one connection, its head on top. `failed`: what a button led to."""
    connector = await version_of(console, connection)
    return console.page(
        visit,
        template,
        status=PROBLEMS[failed.code].status if failed is not None else status,
        each=connection,
        explained=await why(console, connection, connector),
        expires_soon=expires_soon(connection, connector, console.now()),
        attention=needs_attention(connection, ways_of(connector), console.now()),
        kept=kept(connection),
        failed=PROBLEMS[failed.code] if failed is not None else None,
        detail=failed.detail if failed is not None else "",
        request_id=visit.request_id,
        **more,
    )
