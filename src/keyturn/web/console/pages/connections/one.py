"""One connection: how it stands, what is kept, and what can be done with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.connection import Connection
from keyturn.core.errors import KeyturnError, NotFound
from keyturn.core.observing.call_hour import last_day
from keyturn.web.console.charts.board import moment
from keyturn.web.console.charts.calls import calls_by_hour
from keyturn.web.console.page import Page
from keyturn.web.console.pages.connections.shown import connection_page, found
from keyturn.web.console.rendering import Console
from keyturn.web.console.shown_once import link_text
from keyturn.web.console.visit import Visit

TEMPLATE: Final = "connections/one.html"
Step = Callable[[Console, Visit, Connection], Awaitable[str]]


async def show_connection(console: Console, visit: Visit) -> Response:
    """Its head, what is kept, and its buttons."""
    return await _page(console, visit, await found(console, visit))


async def post_reconnect(console: Console, visit: Visit) -> Response:
    """Make a link that repairs it, and show it, this once."""
    connection = await found(console, visit)
    try:
        link = await console.application.connect_sessions.reconnect_link(connection.id, visit.actor)
    except NotFound:
        raise
    except KeyturnError as error:
        return await _page(console, visit, connection, failed=error)
    return await _page(console, visit, connection, link=link_text(link), ends=link.session.expires_at)


async def post_person_link(console: Console, visit: Visit) -> Response:
    """Make a link by which the person sees and ends it, and show it, this once."""
    connection = await found(console, visit)
    try:
        link = await console.application.person_links.make(connection.id, visit.actor)
    except NotFound:
        raise
    except KeyturnError as error:
        return await _page(console, visit, connection, failed=error)
    return await _page(console, visit, connection, link=link_text(link), ends=link.expires_at, for_person=True)


async def _take_back(console: Console, visit: Visit, connection: Connection) -> str:
    await console.application.person_links.take_back(connection.id, visit.actor)
    return "taken_back"


async def _test(console: Console, visit: Visit, connection: Connection) -> str:
    tested = await console.application.test_connection(connection.id, visit.actor)
    verdict = tested.last_test if isinstance(tested, Connection) else None
    return "tested" if verdict is not None and verdict.passed else "test_failed"


async def _renew(console: Console, visit: Visit, connection: Connection) -> str:
    await console.application.renewals.renew(
        connection.id, generation=connection.generation, actor=visit.actor, forced=True
    )
    return "renewed"


async def _pause(console: Console, visit: Visit, connection: Connection) -> str:
    await console.application.pause(connection.id, visit.actor, paused=True)
    return "paused"


async def _resume(console: Console, visit: Visit, connection: Connection) -> str:
    await console.application.pause(connection.id, visit.actor, paused=False)
    return "resumed"


def _doing(step: Step) -> Callable[[Console, Visit], Awaitable[Response]]:
    """A button: do it and come back, or show the page with what stood in the way."""

    async def post(console: Console, visit: Visit) -> Response:
        connection = await found(console, visit)
        try:
            said = await step(console, visit, connection)
        except NotFound:
            raise
        except KeyturnError as error:
            return await _page(console, visit, await found(console, visit), failed=error)
        return console.back(f"/connections/{connection.id}", said=said)

    return post


async def _page(
    console: Console,
    visit: Visit,
    connection: Connection,
    *,
    failed: KeyturnError | None = None,
    link: str | None = None,
    ends: float | None = None,
    for_person: bool = False,
) -> Response:
    now = console.now()
    counted = await console.application.overview.calls([connection.id], last_day(now)[0])
    return await connection_page(
        console, visit, connection, TEMPLATE, failed=failed, link=link, ends=ends,
        for_person=for_person, calls=calls_by_hour(counted.get(connection.id, ()), now, moment),
    )  # fmt: skip


_ONE: Final = "/connections/{connection}"
PAGES: Final = (
    Page("GET", _ONE, show_connection, Permission.VIEW),
    Page("POST", f"{_ONE}/test", _doing(_test), Permission.OPERATE),
    Page("POST", f"{_ONE}/renew", _doing(_renew), Permission.OPERATE),
    Page("POST", f"{_ONE}/reconnect", post_reconnect, Permission.OPERATE),
    Page("POST", f"{_ONE}/person-link", post_person_link, Permission.OPERATE),
    Page("POST", f"{_ONE}/person-link/take-back", _doing(_take_back), Permission.OPERATE),
    Page("POST", f"{_ONE}/pause", _doing(_pause), Permission.OPERATE),
    Page("POST", f"{_ONE}/resume", _doing(_resume), Permission.OPERATE),
)
