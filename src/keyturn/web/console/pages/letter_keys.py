"""Switching the keys of a single letter off and on, for one browser (WCAG 2.2, 2.1.4).

Rule: a cookie says so, as no script keeps anything in a browser; it holds one word and nothing of the person.
"""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.web.console.page import Page
from keyturn.web.console.pages.sign_in import own_path
from keyturn.web.console.rendering import KEYS_COOKIE, KEYS_OFF, Console
from keyturn.web.console.visit import Visit

KEPT_S: Final = 31_536_000


async def post_letter_keys(console: Console, visit: Visit) -> Response:
    """Do what the button says, and go back to the page that it stood on."""
    response = console.back(own_path(visit.form.text("back")))
    response.set_cookie(
        console.cookie.name + KEYS_COOKIE, KEYS_OFF if visit.form.text("switch") == KEYS_OFF else "on", path="/",
        max_age=KEPT_S, secure=console.cookie.secure, httponly=True, samesite="strict",
    )  # fmt: skip
    return response


PAGES: Final = (Page("POST", "/letter-keys", post_letter_keys, Permission.VIEW),)
