"""Connect sessions: the link for the person, what became of it, and whose the result is."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Query
from starlette.responses import Response

from keyturn.core.errors import NotFound
from keyturn.engine.application import Application
from keyturn.engine.login.connect_sessions import SessionRequest
from keyturn.ports.overview import SessionFilter
from keyturn.ports.store import ConnectSession
from keyturn.web.control.caller import BEYOND_LIMITS, App, Caller, Calling
from keyturn.web.control.operations import Operation, Takes
from keyturn.web.control.routes.connections import EXAMPLE, shown
from keyturn.web.control.shapes.answers import ConnectionAnswer, LinkAnswer, SessionAnswer, SessionList
from keyturn.web.control.shapes.requests import Confirmation, NewConnectSession, SessionsQuery
from keyturn.web.control.shapes.showing import answer, session_answer, time_of
from keyturn.web.control.shown_once import link_text

TAG: Final = "connect sessions"


async def create_connect_session(body: NewConnectSession, app: App, caller: Calling) -> Response:
    """Make a link by which a person connects an account.

    It opens once and is good for 30 minutes. With a `return_url` the person comes back there with a one-time `code`,
    and the connection takes no calls until it is confirmed with that. With an `origin`, pages of that origin may open
    the link in a popup, by `/connect.js`.
    """
    caller.must_see(body.connector)
    caller.must_see_owner(body.owner)
    link = await app.connect_sessions.create(
        SessionRequest(
            body.connector, body.owner, body.return_url, body.app_name, body.owner_label, origin=body.origin
        ),
        caller.actor,
    )
    made = LinkAnswer(id=link.session.id, url=link_text(link), expires_at=time_of(link.session.expires_at))
    return answer(made, 201, location=f"/v1/connect-sessions/{link.session.id}")


async def list_connect_sessions(app: App, caller: Calling, query: Annotated[SessionsQuery, Query()]) -> Response:
    """List the connect sessions that wait for their person.

    Newest first: links that nobody opened yet and pages that somebody is at, as long as they are good. A key that is
    limited may get pages with fewer than `limit`; the last one has no `next_cursor`.
    """
    now = app.clock.now()
    found, following = await app.overview.open_sessions(
        now, which=SessionFilter(query.connector, query.owner, query.state), cursor=query.cursor, limit=query.limit,
        project=caller.principal.project,
    )  # fmt: skip
    rows = [session_answer(each, now) for each in found if caller.sees(each.connector, each.owner)]
    return answer(SessionList(data=rows, next_cursor=following))


async def revoke_connect_session(session_id: str, app: App, caller: Calling) -> Response:
    """Take a link back.

    Its page leads nowhere afterwards. A login that is under way at that moment still counts; one that has led to a
    connection can't be taken back, disconnect that instead.
    """
    await _session(app, caller, session_id)
    await app.revoke_session(session_id, caller.actor, project=caller.principal.project)
    return Response(status_code=204)


async def get_connect_session(session_id: str, app: App, caller: Calling) -> Response:
    """Read a connect session."""
    return answer(session_answer(await _session(app, caller, session_id), app.clock.now()))


async def confirm_connect_session(session_id: str, body: Confirmation, app: App, caller: Calling) -> Response:
    """Confirm whose connection it is.

    With the one-time code that came to the return URL, for the user that your backend sees there.
    """
    await _session(app, caller, session_id)
    return await shown(app, await app.connect_sessions.confirm(session_id, body.code, caller.actor))


async def _session(app: Application, caller: Caller, session_id: str) -> ConnectSession:
    found = await app.sessions.load(session_id, project=caller.principal.project)
    if found is None:
        raise NotFound("There is no such session.")
    if not caller.sees(found.connector, found.owner):
        raise NotFound("There is no such session.", logged=BEYOND_LIMITS)
    return found


_ONE: Final = "/v1/connect-sessions/{session_id}"
OPERATIONS: Final = (
    Operation(
        "POST",
        "/v1/connect-sessions",
        create_connect_session,
        "connect",
        {201: LinkAnswer},
        TAG,
        takes=Takes.JSON,
        problems=("not_found", "connector_not_published", "connector_client_missing", "return_url_not_allowed"),
        example={"connector": "acme", "owner": "user-42", "return_url": "https://app.example/done"},
        secret=("url",),
    ),
    Operation("GET", "/v1/connect-sessions", list_connect_sessions, "connect", {200: SessionList}, TAG),
    Operation("GET", _ONE, get_connect_session, "connect", {200: SessionAnswer}, TAG),
    Operation("DELETE", _ONE, revoke_connect_session, "connect", {204: None}, TAG, problems=("session_used",)),
    Operation(
        "POST",
        f"{_ONE}/confirm",
        confirm_connect_session,
        "connect",
        {200: ConnectionAnswer},
        TAG,
        takes=Takes.JSON,
        problems=("session_expired", "session_used", "connection_disconnected", "generation_conflict"),
        example={"code": "q3V0…"},
        answer_example=EXAMPLE,
    ),
)
