"""What to do where the account is connected already, or another one than the connection is for.

Rule 1: a connector that rejects a second login has one connection for an account: it can be kept, nothing else. A new
login never takes its place, whoever makes it.
Rule 2: another account than a reconnect link is for is connected anew only where an application confirms whose it is;
a link alone must not bring a foreign account to somebody (the threat L3).
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from keyturn.core.connection import Connection, State
from keyturn.core.errors import SessionUsed
from keyturn.engine.login.login_request import Connected
from keyturn.ports.store import ConnectSession
from keyturn.web.connect.browser import Browser
from keyturn.web.connect.rendering import Pages, asker_of, request_id_of, wording_of
from keyturn.web.kit.posts import read_form

CHOICES: Final = ("keep", "other", "cancel")


def may_make_another(session: ConnectSession) -> bool:
    """Whether a reconnect link may lead to a new connection with another account."""
    return session.reconnects is not None and session.return_url is not None


async def show_choose(pages: Pages, request: Request) -> Response:
    """GET /connect/{session}/choose."""
    session, browser = await pages.browser(request)
    found = await _existing(pages, session)
    return found if isinstance(found, Response) else await _page(pages, request, session, browser, found)


async def post_choose(pages: Pages, request: Request) -> Response:
    """POST /connect/{session}/choose: keep the connection, sign in with another account, or stop."""
    pages.own_place.check(request)
    session, browser = await pages.browser(request)
    form = await read_form(request)
    found = await _existing(pages, session)
    if isinstance(found, Response):
        return found
    choice = form.text("choice")
    if browser.nonce_of(form.text("form"), "choose", found.id) is None:
        return pages.notice(request, "foreign_form", 403, session=session)
    if choice not in CHOICES or (choice == "keep" and not _works(found)):
        return await _page(pages, request, session, browser, found, missing=True)
    sessions, page = pages.application.connect_sessions, "done"
    try:
        if choice == "keep":
            kept = Connected(found, created=False)
            request_id = request_id_of(request)
            await sessions.finish(session, kept, cookie=browser.cookie, request_id=request_id, unchanged=True)
        elif choice == "other":
            await pages.attempts.change(session, {"exists": None, "ended": None})
            page = "sign-in"
        else:
            await sessions.cancel(await pages.attempts.settled(session), request_id=request_id_of(request))
            page = "failed"
    except SessionUsed:
        page = "done"
    return RedirectResponse(f"/connect/{session.id}/{page}", 303)


async def post_another(pages: Pages, request: Request) -> Response:
    """POST /connect/{session}/another: make a connection with another account than the link is for."""
    pages.own_place.check(request)
    session, browser = await pages.browser(request)
    form = await read_form(request)
    if session.state == "claimed" and may_make_another(session):
        if browser.nonce_of(form.text("form"), "another") is None:
            return pages.notice(request, "foreign_form", 403, session=session)
        try:
            await pages.attempts.change(session, {"makes_another": True, "ended": None})
        except SessionUsed:
            return RedirectResponse(f"/connect/{session.id}/done", 303)
    return RedirectResponse(f"/connect/{session.id}/sign-in", 303)


async def _existing(pages: Pages, session: ConnectSession) -> Connection | Response:
    """The connection that is there already, where there is a choice to make."""
    if session.state != "claimed":
        return RedirectResponse(f"/connect/{session.id}/{'failed' if session.state == 'failed' else 'done'}", 303)
    found = await pages.application.connections.shown(session.facts.get("exists") or "", project=session.project)
    if found is None or found.ended or found.owner != session.owner:
        return RedirectResponse(f"/connect/{session.id}/sign-in", 303)
    return found


def _works(connection: Connection) -> bool:
    return connection.state is not State.NEEDS_RECONNECT


async def _page(
    pages: Pages,
    request: Request,
    session: ConnectSession,
    browser: Browser,
    found: Connection,
    *,
    missing: bool = False,
) -> Response:
    wording, entropy = wording_of(request), pages.application.entropy
    provider = (await pages.view(session)).connector.title
    return pages.render(
        request,
        "choose.html",
        status=422 if missing else 200,
        asker=asker_of(session, wording),
        session_id=session.id,
        provider=provider,
        account=found.name,
        since=wording.day(found.created_at),
        works=_works(found),
        missing=missing,
        token=browser.token("choose", entropy, found.id),
    )
