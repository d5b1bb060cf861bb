"""Two authors, one draft: what each has, side by side, and nothing overwritten."""

from __future__ import annotations

from starlette.responses import Response

from keyturn.engine.builder.review import text_changes
from keyturn.ports.store import Draft
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit


async def show_merge(console: Console, visit: Visit, theirs: Draft, mine: str) -> Response:
    """Show what was saved meanwhile and what was about to be; the author saves again once it is one text."""
    return console.page(
        visit,
        "connectors/merge.html",
        status=409,
        draft=theirs,
        connector=theirs.connector,
        mine=mine,
        lines=text_changes(theirs.source, mine),
    )
