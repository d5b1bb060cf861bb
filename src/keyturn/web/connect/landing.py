"""The page behind a connect link: who asks, what for, where to; one button that claims the link.

Rule 1: looking changes nothing, so a mail scanner burns no link; only the POST claims it.
Rule 2: what is set up wrongly is said here already, and the link stays good.
Rule 3: a browser that claimed the link is let back in: a double click ends where one click does.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from keyturn.core.errors import KeyturnError, NotFound, RateLimited, SessionExpired, SessionUsed
from keyturn.engine.login.connect_sessions import digest_of
from keyturn.ports.store import ConnectSession
from keyturn.web.connect.browser import browser_of
from keyturn.web.connect.connector_view import host_or_none, web_address
from keyturn.web.connect.embedding import noted
from keyturn.web.connect.outcomes import status_of
from keyturn.web.connect.rendering import Pages, asker_of, request_id_of, wording_of


async def show_landing(pages: Pages, request: Request) -> Response:
    """GET /c/{link}."""
    link = request.path_params["link"]
    try:
        session = noted(request, await pages.application.connect_sessions.look(link))
    except (SessionUsed, SessionExpired) as error:
        return await _no_longer(pages, request, link, error)
    refused = await _set_up_wrongly(pages, request, session)
    if refused is not None:
        return refused
    view = await pages.view(session)
    decided_later = bool(view.deciding_fields)
    return pages.render(
        request,
        "landing.html",
        asker=asker_of(session, wording_of(request)),
        provider=view.connector.title,
        repairs=session.reconnects is not None,
        decided_later=decided_later,
        host=None if decided_later else host_or_none(view, {}),
        warning=view.connector.notes.warning,
        safer=web_address(view.connector.trust.alternative) if view.connector.trust else None,
    )


async def claim(pages: Pages, request: Request) -> Response:
    """POST /c/{link}: let this browser in, once."""
    pages.own_place.check(request)
    try:
        pages.count(request, "claim")
    except RateLimited as error:
        pages.note(request, error)
        return pages.notice(request, "address_limited", status_of(error), wait_s=error.retry_after_s)
    link = request.path_params["link"]
    sessions = pages.application.connect_sessions
    try:
        refused = await _set_up_wrongly(pages, request, noted(request, await sessions.look(link)))
        if refused is not None:
            return refused
        session, cookie = await sessions.claim(link, request_id=request_id_of(request))
    except (SessionUsed, SessionExpired) as error:
        return await _no_longer(pages, request, link, error)
    response = RedirectResponse(f"/connect/{session.id}/sign-in", 303)
    pages.jar.put(request, response, cookie)
    return response


async def _set_up_wrongly(pages: Pages, request: Request, session: ConnectSession) -> Response | None:
    """The page that says so, where nobody could connect with the session's connector."""
    try:
        await pages.refuse_stopped(session)
        view = await pages.view(session)
        if not view.deciding_fields:
            view.token_host({})
    except KeyturnError as error:
        return pages.refused(request, error, session)
    return None


async def _no_longer(pages: Pages, request: Request, link: str, error: KeyturnError) -> Response:
    session = await pages.application.sessions.find_link(digest_of(link))
    if session is None:
        raise NotFound
    noted(request, session)
    try:
        await browser_of(request, pages.jar, pages.application.connect_sessions, session.id)
    except KeyturnError:
        pages.note(request, error)
        return pages.notice(request, error.code, status_of(error), session=session, over=True)
    return RedirectResponse(f"/connect/{session.id}/sign-in", 303)
