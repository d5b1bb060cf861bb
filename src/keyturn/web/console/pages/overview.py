"""The overview: is anything broken, and does anybody need me."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.errors import Finding, ValidationFailed
from keyturn.core.problems import PROBLEMS
from keyturn.engine.overview.board import RANGES, USUAL
from keyturn.web.console.charts.board import codes, heat, moment, pictures, states_bar
from keyturn.web.console.charts.latency import HEAD, KEY, latency
from keyturn.web.console.page import Page
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit


async def show_overview(console: Console, visit: Visit) -> Response:
    """What there is, how it went, and what needs somebody."""
    key = visit.query("range", USUAL)
    if key not in RANGES:
        raise ValidationFailed(errors=[Finding("/range", "invalid", f"The ranges are: {', '.join(RANGES)}.")])
    application = console.application
    board = await application.board(key)
    parts, bar = states_bar(board)
    heat_summary, heat_rows = heat(board)
    codes_summary, code_rows = codes(board)
    return console.page(
        visit,
        "overview/board.html",
        board=board,
        ranges=RANGES,
        parts=parts,
        bar=bar,
        heat_summary=heat_summary,
        heat_rows=heat_rows,
        codes_summary=codes_summary,
        code_rows=code_rows,
        pictures=pictures(board),
        latency=latency(board, moment),
        latency_head=HEAD,
        latency_key=KEY,
        connectors=await application.connectors.list(),
        titles={code: problem.title for code, problem in PROBLEMS.items()},
    )


PAGES: Final = (Page("GET", "/", show_overview, Permission.VIEW),)
