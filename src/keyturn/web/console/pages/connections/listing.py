"""The list of connections: counts by state above it, a filter in the address, pages by cursor.

Rule: the counts are of the other parts of the filter, so that each says what its link shows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Final

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.connection import Connection
from keyturn.core.observing.call_hour import last_day
from keyturn.core.renewal.attention import needs_attention, ways_of
from keyturn.engine.jobs.bulk.bulk_order import BulkAction
from keyturn.web.console.charts.board import moment
from keyturn.web.console.charts.calls import Spark, spark
from keyturn.web.console.page import Page
from keyturn.web.console.pages.connections.asked import STATES, Asked
from keyturn.web.console.pages.connections.shown import version_of, why
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit

SHOWN: Final = 50
IN_PROGRESS: Final = "renewal_in_progress"  # nothing is wrong with it
CODES: Final = 8
LONG: Final = 60  # letters
ACTIONS: Final = {
    BulkAction.TEST: "Test",
    BulkAction.RENEW: "Renew",
    BulkAction.PAUSE: "Pause",
    BulkAction.RESUME: "Resume",
    BulkAction.RECONNECT_LINKS: "Make reconnect links",
    BulkAction.MIGRATE: "Move to the newest version",
    BulkAction.DISCONNECT: "Disconnect",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A connection in the list. `attention`: it is active, and yet something is wrong; `words`: what, in one sentence.

    `leads`: whether the list can be asked for this code. `calls`: of the last day.
    """

    connection: Connection
    attention: bool
    code: str | None
    words: str
    leads: bool
    calls: Spark


async def show_connections(console: Console, visit: Visit) -> Response:
    """Those that match, newest first."""
    application, asked = console.application, Asked.of_query(visit)
    which = await asked.filter(console)
    bounds = which.attention or await application.attention_bounds()
    page = await application.connections.list(which, cursor=visit.query("cursor") or None, limit=SHOWN)
    now = console.now()
    counted = await application.overview.calls([each.id for each in page.items], last_day(now)[0])
    counts = await application.overview.states(replace(which, state=None, attention=None))
    noticed = replace(which, state=None, attention=bounds)
    codes = Counter(await application.overview.errors(replace(which, error=None)))
    return console.page(
        visit,
        "connections/list.html",
        asked=asked,
        rows=[await _row(console, each, spark(counted.get(each.id, ()), now, moment)) for each in page.items],
        next_cursor=page.next_cursor,
        cursor=visit.query("cursor"),
        counts=[(state, counts[state]) for state in STATES if counts.get(state)],
        every=sum(counts.values()),
        noticed=await application.connections.count(noticed),
        codes=codes.most_common(CODES),
        more_codes=max(0, len(codes) - CODES),
        connectors=await application.connectors.list(),
        states=STATES,
        actions=ACTIONS,
    )


async def _row(console: Console, connection: Connection, calls: Spark) -> Row:
    connector = await version_of(console, connection)
    explained = await why(console, connection, connector)
    held = connection.ended or connection.paused or connection.unconfirmed
    said = connection.reason if held else explained.code
    if said == IN_PROGRESS:
        said = None
    return Row(
        connection,
        needs_attention(connection, ways_of(connector), console.now()),
        said,
        short(explained.text) if said else "",
        said is not None and said == (connection.reason or connection.last_error),
        calls,
    )


def short(text: str) -> str:
    """The first sentence; of a long one the part that could stand alone."""
    first = text.partition(". ")[0].rstrip(".").partition(";")[0]
    return first if len(first) <= LONG else first.partition(":")[0]


PAGES: Final = (Page("GET", "/connections", show_connections, Permission.VIEW),)
