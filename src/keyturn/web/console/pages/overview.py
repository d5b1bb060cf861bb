"""The overview: is anything broken, and does anybody need me.

Rule 1: what somebody has to do stands first, and folded, so that how it went is seen without scrolling far.
Rule 2: the live figures are the page's own, sent again; what else changed is said, never put under somebody's hands.
"""

from __future__ import annotations

import hashlib
import json
from time import perf_counter
from typing import Final

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.errors import Finding, ValidationFailed
from keyturn.core.explain import code_text
from keyturn.core.problems import PROBLEMS, Cause
from keyturn.core.renewal.attention import LATE_S
from keyturn.engine.overview.board import ENDING_S, RANGES, USUAL, Board
from keyturn.ports.overview import SOON_S
from keyturn.web.console.charts.board import codes, heat, moment, pictures, states_bar
from keyturn.web.console.charts.latency import HEAD, KEY, latency
from keyturn.web.console.charts.proxy_calls import HEAD as CALLS_HEAD
from keyturn.web.console.charts.proxy_calls import KEY as CALLS_KEY
from keyturn.web.console.charts.proxy_calls import proxy_calls
from keyturn.web.console.page import Page
from keyturn.web.console.pages.needs import AT_ONCE, rows_of
from keyturn.web.console.places import connections_of
from keyturn.web.console.rendering import Console
from keyturn.web.console.spans import ago
from keyturn.web.console.visit import Visit

AGAIN_MS: Final = 5000
SHARE: Final = 20  # of the time, one part at most is spent on reading for a page that is left open
CHANGED: Final = "What is listed below has changed since this page was opened; reload it to see that."


async def show_overview(console: Console, visit: Visit) -> Response:
    """What there is, how it went, and what needs somebody."""
    application, board = console.application, await _board(console, visit)
    parts, bar = states_bar(board)
    heat_summary, heat_rows = heat(board)
    codes_summary, code_rows = codes(board)
    rows = rows_of(board, may_operate=visit.may(Permission.OPERATE), may_write=visit.may(Permission.WRITE_CONNECTORS))
    told = {(each.connector, each.code) for each in board.troubles}
    return console.page(
        visit,
        "overview/board.html",
        board=board,
        ranges=RANGES,
        parts=parts,
        bar=bar,
        places=_places(board),
        failing=[each for each in board.failing if (each.connector, each.code) not in told],
        fails=_fails(board),
        seen=_seen(board),
        connections_of=connections_of,
        needs=rows[:AT_ONCE],
        folded=rows[AT_ONCE:],
        heat_summary=heat_summary,
        heat_rows=heat_rows,
        codes_summary=codes_summary,
        code_rows=code_rows,
        pictures=pictures(board),
        latency=latency(board, moment),
        latency_head=HEAD,
        latency_key=KEY,
        calls=proxy_calls(board, moment),
        calls_head=CALLS_HEAD,
        calls_key=CALLS_KEY,
        connectors=await application.connectors.list(),
        titles={code: code_text(code) for code in (*PROBLEMS, *(each.value for each in Cause))},
    )


async def show_live(console: Console, visit: Visit) -> Response:
    """The first rows' figures as one server-sent event; the browser asks again, as it is told to.

    A stream that stays open would hold a connection for each page that somebody leaves open in a tab.
    """
    begun = perf_counter()
    board = await _board(console, visit)
    text = json.dumps(_figures(board, visit.query("seen"), console.now()))
    again_ms = again_after_ms(perf_counter() - begun)
    return Response(f"retry: {again_ms}\ndata: {text}\n\n", media_type="text/event-stream")


def again_after_ms(took_s: float) -> int:
    """When a page asks again, in milliseconds: later where there is so much that reading takes its time (seconds)."""
    return max(AGAIN_MS, int(took_s * 1000 * SHARE))


def _figures(board: Board, seen: str, now: float) -> dict[str, str | None]:
    """As the script puts them into the page, by the names of their places; `share` is of pages that have a bar."""
    return {
        **{state: str(count) for state, count in board.by_state.items()},
        "attention": str(board.attention),
        "due": str(board.standing.due_soon),
        "overdue": str(board.standing.overdue),
        "failing": str(_fails(board)),
        "jobs": str(board.jobs_running),
        "webhooks": str(board.backlog.count),
        "read": ago(board.at, now),
        "changed": "" if seen == _seen(board) else CHANGED,
        "share": None,
    }


def _fails(board: Board) -> int:
    """How many connectors fail, for whatever cause."""
    return len({failing.connector for failing in board.failing} | {trouble.connector for trouble in board.troubles})


def _seen(board: Board) -> str:
    """Stands for what the page lists: it is another one where something came or went."""
    listed = (
        sorted(state for state, count in board.by_state.items() if count),
        [(each.reason, each.connector, each.count) for each in board.needs],
        [(each.connector, each.code) for each in board.troubles],
        board.failing,
    )
    return hashlib.sha256(repr(listed).encode()).hexdigest()[:16]


async def _board(console: Console, visit: Visit) -> Board:
    key = visit.query("range", USUAL)
    if key not in RANGES:
        raise ValidationFailed(errors=[Finding("/range", "invalid", f"The ranges are: {', '.join(RANGES)}.")])
    return await console.application.board(key)


def _places(board: Board) -> dict[str, str]:
    """Where the numbers of the first rows lead: to what each counts."""
    return {
        "attention": connections_of(attention="true"),
        "due": connections_of(renews_before=board.at + SOON_S),
        "overdue": connections_of(renews_before=board.at - LATE_S),
        **{
            f"ending {each.connector}": connections_of(connector=each.connector, ends_before=board.at + ENDING_S)
            for each in board.endings
        },
    }


PAGES: Final = (
    Page("GET", "/", show_overview, Permission.VIEW),
    Page("GET", "/overview/live", show_live, Permission.VIEW),
)
