"""What each code means and whose move it is, for anybody: every error's `type` leads here."""

from __future__ import annotations

import difflib
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from keyturn.core.problems import PROBLEMS, WHOSE_MOVE
from keyturn.web.console.page import OpenPage
from keyturn.web.console.rendering import Console

LONGEST: Final = 100


async def show_problems(console: Console, request: Request) -> Response:
    """All of them, by status."""
    rows = sorted(PROBLEMS.values(), key=lambda each: (each.status, each.code))
    return await console.page_for(request, "administration/problems.html", rows=rows, whose=WHOSE_MOVE)


async def show_problem(console: Console, request: Request) -> Response:
    """One of them; for one that there is not, the nearest."""
    code = str(request.path_params["code"])[:LONGEST]
    found = PROBLEMS.get(code)
    near = [] if found else difflib.get_close_matches(code, PROBLEMS, n=3)
    status = 200 if found else 404
    return await console.page_for(
        request, "administration/problem.html", status=status, each=found, near=near, whose=WHOSE_MOVE
    )


PAGES: Final = (
    OpenPage("GET", "/problems", show_problems),
    OpenPage("GET", "/problems/{code}", show_problem),
)
