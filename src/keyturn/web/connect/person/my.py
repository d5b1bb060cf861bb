"""One connection, for the person whose account it is: how it stands, what is stored, and its end.

Rule 1: the address is what counts, no cookie; it is good for this one connection and for nothing else.
Rule 2: looking changes nothing, so a mail scanner ends no connection; the button stands on a page of its own.
Rule 3: after the end each step is said with what came of it, for as long as the address is good.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from keyturn.core.connection import Connection, State
from keyturn.core.errors import ConnectionDisconnected, KeyturnError, NotFound, RateLimited, SessionExpired
from keyturn.ports.access.person_links import PersonLink
from keyturn.web.connect.browser import Browser
from keyturn.web.connect.connector_view import ConnectorView
from keyturn.web.connect.outcomes import status_of
from keyturn.web.connect.rendering import Pages, asker_of, request_id_of, wording_of
from keyturn.web.connect.texts.wording import Wording
from keyturn.web.kit.posts import read_form

RECENT_S: Final = 48 * 3600.0  # up to here a time is said as how long ago, beyond as a day
# Shape of each state as shown; never colour alone.
GLYPHS: Final = {"active": "●", "uncertain": "◐", "needs_reconnect": "■", "paused": "‖", "unconfirmed": "◌"}
_ENDED_GLYPH: Final = "○"
# What came of telling the provider → its text; any other word is one of a try that is repeated.
_TOLD: Final = {
    "done": "my.told_done",
    "given_up": "my.told_given_up",
    "not_possible": "my.told_not_possible",
    "not_supported": "my.told_not_supported",
    "nothing_to_revoke": "my.told_nothing",
}


@dataclass(frozen=True, slots=True)
class _Visit:
    """One request to a link that is good. `view`: None where the connector's version is gone."""

    pages: Pages
    request: Request
    token: str
    link: PersonLink
    connection: Connection
    view: ConnectorView | None

    @property
    def say(self) -> Wording:
        """The page's language."""
        return wording_of(self.request)

    @property
    def provider(self) -> str:
        """What the provider is called."""
        return self.view.connector.title if self.view else self.connection.connector

    @property
    def holder(self) -> Browser:
        """Whoever has the address, for the tokens of forms."""
        return Browser(self.link.id, self.token)


async def show_my(pages: Pages, request: Request) -> Response:
    """GET /my/{token}."""
    visit = await _visit(pages, request)
    return visit if isinstance(visit, Response) else _page(visit)


async def show_disconnect(pages: Pages, request: Request) -> Response:
    """GET /my/{token}/disconnect: what would happen, and the button."""
    visit = await _visit(pages, request)
    if isinstance(visit, Response):
        return visit
    if visit.connection.ended:
        return RedirectResponse(f"/my/{visit.token}", 303)
    return _confirm(visit)


async def post_disconnect(pages: Pages, request: Request) -> Response:
    """POST /my/{token}/disconnect; of one that is ending, the provider is told again."""
    pages.own_place.check(request)
    visit = await _visit(pages, request)
    if isinstance(visit, Response):
        return visit
    form = await read_form(request)
    if visit.holder.nonce_of(form.text("form"), "disconnect") is None:
        return _page(visit, status=403) if visit.connection.ended else _confirm(visit, status=403, stale=True)
    try:
        pages.count(request, "person")
    except RateLimited as error:
        return pages.notice(request, "address_limited", status_of(error), wait_s=error.retry_after_s)
    await pages.application.person_links.disconnect(visit.token, request_id=request_id_of(request))
    return RedirectResponse(f"/my/{visit.token}?ended", 303)


async def post_link(pages: Pages, request: Request) -> Response:
    """POST /connect/{session}/my: lead the browser that connected an account to its connection's own page."""
    pages.own_place.check(request)
    session, browser = await pages.browser(request)
    form = await read_form(request)
    if session.state not in ("done", "confirmed"):
        return RedirectResponse(f"/connect/{session.id}/sign-in", 303)
    if browser.nonce_of(form.text("form"), "my") is None:
        return pages.notice(request, "foreign_form", 403, session=session)
    links = pages.application.person_links
    try:
        path = await links.of_browser(session, browser.cookie, request_id=request_id_of(request))
    except (NotFound, ConnectionDisconnected):
        return pages.notice(request, "connection_gone", 410, session=session)
    return RedirectResponse(path, 303)


async def _visit(pages: Pages, request: Request) -> _Visit | Response:
    """The visit; or the page that says why there is none."""
    token, application = request.path_params["token"], pages.application
    try:
        link, connection = await application.person_links.look(token)
    except NotFound as error:
        return pages.notice(request, "my_gone", status_of(error))
    except SessionExpired as error:
        return pages.notice(request, "my_expired", status_of(error))
    view = None
    try:
        connector = await application.published.version(
            connection.connector, connection.connector_version, project=connection.project
        )
        view = ConnectorView(connector, connection.connector_version, None, application.edit_connector.suffixes)
    except KeyturnError:
        pass  # a version that was taken away; the connection stands
    return _Visit(pages, request, token, link, connection, view)


def _page(visit: _Visit, *, status: int = 200) -> Response:
    say, connection, now = visit.say, visit.connection, visit.pages.application.clock.now()
    entropy = visit.pages.application.entropy
    return visit.pages.render(
        visit.request,
        "my.html",
        status=status,
        **_about(visit),
        glyph=GLYPHS.get(connection.shown_state, _ENDED_GLYPH),
        state=connection.shown_state,
        just_ended="ended" in visit.request.query_params and connection.ended,
        ended=connection.ended,
        ending=connection.state is State.DISCONNECTING,
        since=say.day(connection.created_at),
        used=_when(say, connection.last_used_at, now),
        ended_at=_when(say, connection.disconnected_at, now),
        told=_told(visit),
        kept_until=_until(say, connection.revocation),
        keys_stored=connection.token_issued_at is not None and not connection.ended,
        password_since=say.day(connection.password_kept_at) if connection.password_kept_at is not None else None,
        labels=_labels(visit),
        hosts=visit.view.api_hosts(connection.fields) if visit.view else [],
        address_until=say.day(visit.link.expires_at),
        form_token=visit.holder.token("disconnect", entropy),
    )


def _confirm(visit: _Visit, *, status: int = 200, stale: bool = False) -> Response:
    return visit.pages.render(
        visit.request,
        "my_disconnect.html",
        status=status,
        **_about(visit),
        stale=stale,
        revoke_hosts=visit.view.revoke_hosts(visit.connection.fields) if visit.view else [],
        form_token=visit.holder.token("disconnect", visit.pages.application.entropy),
    )


def _about(visit: _Visit) -> dict[str, Any]:
    return {
        "asker": asker_of(None, visit.say),
        "provider": visit.provider,
        "account": visit.connection.name,
        "here": f"/my/{visit.token}",
        "disconnect_note": visit.view.connector.notes.disconnect if visit.view else "",
    }


def _labels(visit: _Visit) -> list[str]:
    """The labels of the fields that are stored; of a version that is gone, their keys."""
    stored = {*visit.connection.fields, *visit.connection.sealed_fields}
    if visit.view is None:
        return sorted(stored)
    return [each.label for each in visit.view.connector.fields if each.key in stored]


def _when(say: Wording, at: float | None, now: float) -> Markup | None:
    """A time in words, and exactly."""
    if at is None:
        return None
    words = say("ago", duration=say.duration(now - at)) if 0 <= now - at < RECENT_S else say.date(at)
    return say.exact(at, words)


def _until(say: Wording, revocation: Mapping[str, Any]) -> Markup | None:
    until = revocation.get("kept_until")
    return None if until is None or not revocation.get("kept") else say.exact(until, say.moment(until))


def _told(visit: _Visit) -> Markup:
    """What came of telling the provider."""
    revocation, say = visit.connection.revocation, visit.say
    result = str(revocation.get("result", ""))
    key = _TOLD.get(result, "my.told_pending")
    return say(key, provider=visit.provider)
