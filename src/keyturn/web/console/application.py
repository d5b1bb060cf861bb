"""The console as an application: everything behind its sign-in.

Rule 1: every answer carries the security headers and a request id of ours; a path is never logged here.
Rule 2: who is not signed in is led to the sign-in, and back afterwards; a form of theirs is refused and does nothing,
and what was typed is kept for its person to send again (`kept_forms`).
Rule 3: role, origin, form token and the sign-in's age are checked here, before any page's code runs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlencode

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

from keyturn.core.errors import (
    BadRequest,
    ForbiddenRole,
    KeyturnError,
    MethodNotAllowed,
    NotFound,
    ReauthRequired,
    SignedOut,
)
from keyturn.engine.application import Application
from keyturn.web.console.connect_form import ConnectForm
from keyturn.web.console.instance import Instance
from keyturn.web.console.kept_forms.signed_out import is_navigation, keep_form, offer_form, was_kept
from keyturn.web.console.kept_forms.signing_in_again import ask_to_sign_in_again
from keyturn.web.console.page import OpenPage, Page
from keyturn.web.console.pages import ALL
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import TOKEN_INPUT, Visit, marks, token_holds
from keyturn.web.kit.admission.addresses import Network
from keyturn.web.kit.guarded_pages import REQUEST_ID, GuardedPages, route_of
from keyturn.web.kit.guarded_pages import NamedRoute as Route
from keyturn.web.kit.posts import ForeignForm, Form, read_form
from keyturn.web.kit.refusals import FOREIGN_FORM, FORM, Refusals
from keyturn.web.kit.request_ids import RequestIds

_BY_STATUS: Final = {404: NotFound, 405: MethodNotAllowed}

log = structlog.get_logger("keyturn.console")


def make_console(
    application: Application,
    *,
    version: str,
    instance: Instance | None = None,
    refusals: Refusals | None = None,
    trusted_proxies: tuple[Network, ...] = (),
    connect_form: ConnectForm | None = None,
) -> ASGIApp:
    """The console's pages; their files are those of `web/static`.

    `instance`: what the pages of settings show. `refusals`: where they are written down. `trusted_proxies`: whose word
    on a browser's address is believed. `connect_form`: draws what people see of step 1; nothing is drawn without.
    """
    refusals = refusals or Refusals()
    console = Console(
        application,
        version=version,
        instance=instance or Instance(),
        trusted_proxies=trusted_proxies,
        connect_form=connect_form,
    )
    console.paths = frozenset(each.path for each in ALL if each.method == "GET")

    async def show_error(request: Request, error: Exception) -> Response:
        visit: Visit | None = request.scope.get("keyturn.visit")
        scope, request_id = request.scope, str(request.scope[REQUEST_ID])
        route, actor = route_of(scope), visit.who.actor_name if visit is not None else ""
        if isinstance(error, ForeignForm):
            refusals.note_as(FORM, FOREIGN_FORM, scope, route=route, request_id=request_id, actor=actor)
            return console.open_page("foreign.html", status=403)
        if isinstance(error, HTTPException):
            error = _BY_STATUS.get(error.status_code, BadRequest)()
        known = error if isinstance(error, KeyturnError) else KeyturnError()
        refusals.note(error, scope, route=route, request_id=request_id, actor=actor)
        if isinstance(error, ReauthRequired) and visit is not None:
            return ask_to_sign_in_again(console, visit)
        return console.error(request, known, visit)

    inner = Starlette(
        routes=[
            *(Route(each.path, _answering(console, each), methods=[each.method]) for each in ALL),
            Route("/assets/{digest}/{name}", console.files.show),
        ],
        exception_handlers=dict.fromkeys((KeyturnError, ForeignForm, HTTPException, Exception), show_error),
    )
    inner.router.redirect_slashes = False  # a redirect would be made of the Host header
    return GuardedPages(inner, RequestIds(application.entropy), log)


def _answering(console: Console, page: Page | OpenPage) -> Callable[[Request], Awaitable[Response]]:
    async def answer_anybody(request: Request) -> Response:
        assert isinstance(page, OpenPage)
        return await page.endpoint(console, request)

    async def answer(request: Request) -> Response:
        assert isinstance(page, Page)
        if request.method == "POST":
            console.own_place.check(request)
        cookie = console.cookie.value(request)
        who = await console.application.people.of_cookie(cookie, used=not _by_itself(request)) if cookie else None
        if who is None:
            return await _signed_out(console, request, page)
        form = await _form_of(request, page) if page.method == "POST" else None
        visit = Visit(request, who, cookie, form or Form({}, {}))
        request.scope["keyturn.visit"] = visit
        if form is not None:
            token = form.text(TOKEN_INPUT)
            kept = was_kept(form) or not token_holds(who, token)
            if kept and not (marks(who, token) and is_navigation(request)):
                raise ForeignForm
        if not visit.may(page.needs):
            raise ForbiddenRole
        if form is not None and kept:
            return offer_form(console, visit, page)
        if page.fresh and not who.is_fresh(console.now()):
            raise ReauthRequired
        return await page.endpoint(console, visit)

    return answer_anybody if isinstance(page, OpenPage) else answer


def _by_itself(request: Request) -> bool:
    """Whether a page that is left open asks, and nobody does anything."""
    return request.headers.get("accept") == "text/event-stream"


async def _form_of(request: Request, page: Page) -> Form:
    return await read_form(request, secret=page.secret, most_bytes=page.most_bytes)


async def _signed_out(console: Console, request: Request, page: Page) -> Response:
    """Lead to the sign-in; of a form that was sent, nothing is done."""
    if request.method == "POST":
        if not is_navigation(request):
            raise SignedOut
        console.count_sign_in(request)
        return keep_form(console, request, page, await _form_of(request, page))
    after = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
    return RedirectResponse("/login" + (f"?{urlencode({'next': after})}" if after not in ("", "/") else ""), 303)
