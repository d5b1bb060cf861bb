"""The connect zone as an application: the only one that sees passwords.

Rule 1: every answer carries the security headers and a request id of ours; a path is never logged here.
Rule 2: an error is a page with the register's status; one that is none of ours is our fault, and nothing of it shown:
neither to the person nor, but for its kind and place, in a log.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from keyturn.core.errors import (
    BadRequest,
    KeyturnError,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    RequestTimeout,
    SessionExpired,
    SessionUsed,
    UnsupportedMediaType,
)
from keyturn.engine.application import Application
from keyturn.web.connect.challenge.code import post_again, post_code, post_resend, show_code, show_state
from keyturn.web.connect.choose import post_another, post_choose, show_choose
from keyturn.web.connect.details import post_details, show_details
from keyturn.web.connect.embedding import noted, opened, script_of
from keyturn.web.connect.ending import post_cancel, show_done, show_failed
from keyturn.web.connect.landing import claim, show_landing
from keyturn.web.connect.outcomes import outcome_of, status_of
from keyturn.web.connect.person.my import post_disconnect, post_link, show_disconnect, show_my
from keyturn.web.connect.rendering import Pages
from keyturn.web.connect.sign_in import post_sign_in, show_sign_in
from keyturn.web.kit.admission.addresses import Network
from keyturn.web.kit.brand import Brand
from keyturn.web.kit.guarded_pages import GuardedPages
from keyturn.web.kit.guarded_pages import NamedRoute as Route
from keyturn.web.kit.posts import ForeignForm
from keyturn.web.kit.refusals import FOREIGN_FORM, Refusals
from keyturn.web.kit.request_ids import RequestIds

Endpoint = Callable[[Pages, Request], Awaitable[Response]]
_WITH_WORDS: Final = (
    NotFound, SessionExpired, SessionUsed, BadRequest, PayloadTooLarge, UnsupportedMediaType, MethodNotAllowed,
    RequestTimeout,
)  # fmt: skip
_BY_STATUS: Final = {404: NotFound, 405: MethodNotAllowed}

_PLAIN: Final = Brand()

log = structlog.get_logger("keyturn.connect_pages")


def make_connect(
    application: Application,
    brand: Brand = _PLAIN,
    trusted_proxies: tuple[Network, ...] = (),
    refusals: Refusals | None = None,
) -> ASGIApp:
    """The pages below `/c/`, `/connect/` and `/my/`, their files below `/static/`, and `/connect.js` for embedders.

    `trusted_proxies`: whose `X-Forwarded-For` is believed. `refusals`: where they are written down.
    """
    pages = Pages(application, brand, trusted_proxies, refusals or Refusals(trusted_proxies))

    def page(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            return opened(request, await endpoint(pages, request))

        return answer

    async def show_error(request: Request, error: Exception) -> Response:
        return opened(request, await _error_page(pages, request, error))

    async def embedding_script(_request: Request) -> Response:
        return script_of(pages.files)

    routes = [
        Route("/connect.js", embedding_script),
        Route("/c/{link}", page(show_landing)),
        Route("/c/{link}", page(claim), methods=["POST"]),
        Route("/connect/{session}/details", page(show_details)),
        Route("/connect/{session}/details", page(post_details), methods=["POST"]),
        Route("/connect/{session}/sign-in", page(show_sign_in)),
        Route("/connect/{session}/sign-in", page(post_sign_in), methods=["POST"]),
        Route("/connect/{session}/code", page(show_code)),
        Route("/connect/{session}/code", page(post_code), methods=["POST"]),
        Route("/connect/{session}/resend", page(post_resend), methods=["POST"]),
        Route("/connect/{session}/again", page(post_again), methods=["POST"]),
        Route("/connect/{session}/state", page(show_state)),
        Route("/connect/{session}/choose", page(show_choose)),
        Route("/connect/{session}/choose", page(post_choose), methods=["POST"]),
        Route("/connect/{session}/another", page(post_another), methods=["POST"]),
        Route("/connect/{session}/cancel", page(post_cancel), methods=["POST"]),
        Route("/connect/{session}/done", page(show_done)),
        Route("/connect/{session}/failed", page(show_failed)),
        Route("/connect/{session}/my", page(post_link), methods=["POST"]),
        Route("/my/{token}", page(show_my)),
        Route("/my/{token}/disconnect", page(show_disconnect)),
        Route("/my/{token}/disconnect", page(post_disconnect), methods=["POST"]),
        Route("/static/{digest}/{name}", pages.files.show),
    ]
    inner = Starlette(
        routes=routes,
        exception_handlers=dict.fromkeys((KeyturnError, ForeignForm, HTTPException, Exception), show_error),
    )
    inner.router.redirect_slashes = False  # a redirect would be made of the Host header
    return GuardedPages(inner, RequestIds(application.entropy), log)


async def _error_page(pages: Pages, request: Request, error: Exception) -> Response:
    if isinstance(error, ForeignForm):
        pages.note_form(request, FOREIGN_FORM)
        return pages.notice(request, "foreign_form", 403)
    if isinstance(error, HTTPException):
        error = _BY_STATUS.get(error.status_code, BadRequest)()
    known = error if isinstance(error, KeyturnError) else KeyturnError()
    pages.note(request, known)
    if isinstance(known, _WITH_WORDS):
        session = None
        if isinstance(known, SessionExpired):  # only the browser that claimed it hears that it expired
            session = await pages.application.sessions.load(request.path_params.get("session", ""))
        over = isinstance(known, SessionExpired)
        return pages.notice(
            request, known.code, status_of(known), session=session and noted(request, session), over=over
        )
    return pages.notice(request, outcome_of(known, None).text, status_of(known), code=known.code)
