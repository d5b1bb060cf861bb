"""How a session ends: connected, or given up; and the way back to whoever asked.

Rule 1: the one-time code stands in the link back and nowhere else, and not once it was exchanged or is too old.
Rule 2: the browser goes back at once or not at all: WCAG 2.2.1 rules out a redirect after a while. The link is there
in any case.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from keyturn.core.connection import Connection
from keyturn.core.errors import KeyturnError, SessionExpired, SessionUsed
from keyturn.ports.store import ConnectSession
from keyturn.web.connect.rendering import Pages, asker_of, back_link, wording_of
from keyturn.web.kit.posts import read_form


async def show_done(pages: Pages, request: Request) -> Response:
    """GET /connect/{session}/done."""
    session, browser = await pages.browser(request)
    if session.state not in ("done", "confirmed"):
        return RedirectResponse(f"/connect/{session.id}/sign-in", 303)
    application = pages.application
    connection = await application.connections.load(session.connection or "", project=session.project)
    if connection is None or connection.ended:
        return pages.notice(request, "connection_gone", 410, session=session)
    code = None
    if session.state == "done":
        if session.return_url is not None and application.clock.now() >= session.expires_at:
            raise SessionExpired
        code = application.connect_sessions.code_for(session, browser.cookie)
    back = back_link(session, code=code.reveal()) if code else back_link(session)
    own_page = browser.token("my", application.entropy)
    return await _page(pages, request, session, connection, back, own_page, going=code is not None)


async def show_failed(pages: Pages, request: Request) -> Response:
    """GET /connect/{session}/failed."""
    session, _ = await pages.browser(request)
    if session.state != "failed":
        return RedirectResponse(f"/connect/{session.id}/sign-in", 303)
    asker = asker_of(session, wording_of(request))
    return pages.render(request, "failed.html", tells="exit", asker=asker, back=back_link(session, error="cancelled"))


async def post_cancel(pages: Pages, request: Request) -> Response:
    """POST /connect/{session}/cancel."""
    pages.own_place.check(request)
    session, browser = await pages.browser(request)
    form = await read_form(request, secret=("password",))
    if session.state == "claimed" and browser.nonce_of(form.text("form"), "cancel") is None:
        return pages.notice(request, "foreign_form", 403, session=session)
    try:
        await pages.application.connect_sessions.cancel(await pages.attempts.settled(session))
    except SessionUsed:
        return RedirectResponse(f"/connect/{session.id}/sign-in", 303)
    return RedirectResponse(f"/connect/{session.id}/failed", 303)


async def _page(
    pages: Pages,
    request: Request,
    session: ConnectSession,
    connection: Connection,
    back: str | None,
    own_page: str,
    *,
    going: bool,
) -> Response:
    connector, labels = None, []
    try:
        connector = await pages.application.published.version(
            connection.connector, connection.connector_version, project=session.project
        )
        kept = {*connection.fields, *connection.sealed_fields}
        labels = [each.label for each in connector.fields if each.key in kept]
    except KeyturnError:
        pass  # a version that was taken away; the connection stands
    anew = session.reconnects is None or session.makes_another
    before = anew and not session.facts.get("created", True)
    unchanged = bool(session.facts.get("unchanged"))
    say = wording_of(request)
    return pages.render(
        request,
        "done.html",
        tells="done",
        asker=asker_of(session, say),
        before="done.unchanged" if unchanged else "done.updated" if before else None,
        since=say.day(connection.created_at),
        provider=connector.title if connector else connection.connector,
        account=connection.name,
        password_kept=connection.password_kept_at is not None,
        reason=connector.password.reason if connector else "",
        labels=labels,
        revoked=bool(connector and connector.revoke),
        disconnect_note=connector.notes.disconnect if connector else "",
        unconfirmed=connection.unconfirmed,
        session_id=session.id,
        my_token=own_page,
        back=back,
        going=going,
    )
