"""Forms that come after their session has ended: nothing is done, and nothing that was typed is lost.

Rule 1: what was sent goes back to the browser that sent it, on the page that says so, and is kept nowhere else: in no
address, no cookie, no storage of the browser or the server.
Rule 2: secret inputs are left out, and named: they are typed once more.
Rule 3: a form that was kept is done only from the page that shows what would be done, by a press with the token of the
session at hand; the press that follows the sign-in leads to that page and does nothing.
Rule 4: nobody is shown the form of somebody else: the mark in its token says whose it was.

Source: decision 0024; WCAG 2.2, 2.2.5.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from keyturn.core.errors import SignedOut
from keyturn.core.problems import PROBLEMS
from keyturn.web.console.page import Page
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import TOKEN_INPUT, Visit, is_token
from keyturn.web.kit.guarded_pages import REQUEST_ID
from keyturn.web.kit.posts import Form

KEPT: Final = "form-kept"
LEFT_OUT: Final = "form-left-out"  # the names of secret inputs, with blanks between
_OURS: Final = (TOKEN_INPUT, KEPT, LEFT_OUT)


def is_navigation(request: Request) -> bool:
    """Whether the answer is shown as a page: a script of ours gets none to show. True where the browser doesn't say."""
    return request.headers.get("sec-fetch-dest", "document") == "document"


def keep_form(console: Console, request: Request, page: Page, form: Form) -> Response:
    """Answer somebody who is signed out with the form, as `signed_out`; nothing of it was done.

    A form in which nothing stands leads to the sign-in, as a link does.
    """
    typed, left_out = _typed(form), _left_out(form, page)
    if not is_token(form.text(TOKEN_INPUT)) or not (typed or left_out):
        return RedirectResponse("/login", 303)
    return console.open_page(
        "kept_form.html",
        status=PROBLEMS[SignedOut.code].status,
        problem=PROBLEMS[SignedOut.code],
        request_id=str(request.scope[REQUEST_ID]),
        action=_address(request),
        opened_at=request.url.path if page.path in console.paths else "",
        sent=form.text(TOKEN_INPUT),
        typed=typed,
        left_out=left_out,
    )


def was_kept(form: Form) -> bool:
    """Whether the form comes from the page of `keep_form`."""
    return bool(form.text(KEPT))


def offer_form(console: Console, visit: Visit, page: Page) -> Response:
    """Show what was typed in an earlier session of this person's, to be sent by another press; nothing was done."""
    return console.page(
        visit,
        "offered_form.html",
        status=PROBLEMS[SignedOut.code].status,
        problem=PROBLEMS[SignedOut.code],
        request_id=visit.request_id,
        action=_address(visit.request),
        typed=_typed(visit.form),
        left_out=_left_out(visit.form, page),
    )


def _address(request: Request) -> str:
    """Where the form was sent, with its query."""
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def _typed(form: Form) -> list[tuple[str, str]]:
    return [(name, value) for name, value in form.texts.items() if name not in _OURS]


def _left_out(form: Form, page: Page) -> list[str]:
    """Names of the inputs whose values are secret, of this form and of the one that it was kept from."""
    before = [name for name in form.text(LEFT_OUT).split() if name in page.secret]
    return list(dict.fromkeys([*before, *(name for name, value in form.secrets.items() if value)]))
