"""Signing in through the OpenID provider: out by a form's button, and back by the provider's answer.

Rule 1: the button's answer is a page that leads on, no redirect: browsers hold a redirect after a form against
`form-action`.
Rule 2: whatever the answer is, the try is over with it.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import structlog
from starlette.requests import Request
from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.errors import CallerError, KeyturnError, NotFound, OpenIdStateMismatch
from keyturn.engine.people.openid.attempt import read_attempt
from keyturn.engine.people.openid.relying import BEGIN, CALLBACK
from keyturn.engine.people.openid.sign_in import OpenIdSignIn
from keyturn.web.console.page import OpenPage, Page
from keyturn.web.console.pages.sign_in import asking, own_path
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit
from keyturn.web.kit.guarded_pages import REQUEST_ID
from keyturn.web.kit.posts import read_form

AGAIN: Final = "/signed-in-again"
_READ: Final = ("code", "state", "iss", "error")

log = structlog.get_logger("keyturn.console")


async def post_begin(console: Console, request: Request) -> Response:
    """Lead to the provider."""
    console.own_place.check(request)
    form = await read_form(request)
    again = form.text("again") == "1"
    try:
        console.count_sign_in(request)
        address, attempt = await _openid(console).begin(
            after=AGAIN if again else own_path(form.text("next")), again=again
        )
    except KeyturnError as error:
        _tell_operator(request, error)
        raise
    response = console.open_page("openid_going.html", address=address, host=urlsplit(address).netloc)
    console.openid_cookie.put(response, attempt.kept())
    return response


async def show_answer(console: Console, request: Request) -> Response:
    """Let this browser in, where the provider's answer says so."""
    attempt = read_attempt(console.openid_cookie.value(request))
    pairs = [(name, value) for name, value in request.query_params.multi_items() if name in _READ]
    try:
        console.count_sign_in(request)
        if len({name for name, _ in pairs}) != len(pairs):
            raise OpenIdStateMismatch
        _, cookie = await _openid(console).finish(dict(pairs), attempt, asking(console, request))
    except KeyturnError as error:
        _tell_operator(request, error)
        raise
    response = console.back(own_path(attempt.after if attempt else "/"))
    console.cookie.put(response, cookie)
    console.openid_cookie.drop(response)
    return response


async def show_again(console: Console, visit: Visit) -> Response:
    """Say that this tab has done its part."""
    return console.page(visit, "signed_in_again.html")


def _openid(console: Console) -> OpenIdSignIn:
    if console.application.openid is None:
        raise NotFound("No OpenID provider is set here.")
    return console.application.openid


def _tell_operator(request: Request, error: KeyturnError) -> None:
    """Log what only the operator or the provider can mend: the page alone would tell the wrong one."""
    if not isinstance(error, CallerError):
        request_id = str(request.scope[REQUEST_ID])
        log.warning("openid_sign_in_failed", code=error.code, detail=error.detail, request_id=request_id)


PAGES: Final = (
    OpenPage("POST", BEGIN, post_begin),
    OpenPage("GET", CALLBACK, show_answer),
    Page("GET", AGAIN, show_again, Permission.VIEW),
)
