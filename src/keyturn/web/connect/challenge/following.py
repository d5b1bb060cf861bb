"""From how a challenge stands to where its session goes on: to the code, to the end, or back to the sign-in.

Rule 1: the challenge's row is the truth; the session only names it. So whatever was lost on the way (a browser that
hung up, a process that died, a push that was approved while nobody looked) is made good by the next look.
Rule 2: a challenge that failed leads back to the sign-in, which says why.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from keyturn.core.connection import Connection
from keyturn.core.errors import (
    ChallengeExpired,
    ConnectionExists,
    KeyturnError,
    NotFound,
    OtpInvalid,
    SessionUsed,
    error_named,
)
from keyturn.engine.login.challenged import Challenged
from keyturn.engine.login.login_request import Connected
from keyturn.ports.challenges import ChallengeState
from keyturn.ports.store import ConnectSession
from keyturn.web.connect.attempts import CHALLENGE, LONGEST_LOGIN_S, POLL_S, outcome_facts
from keyturn.web.connect.browser import Browser
from keyturn.web.connect.rendering import Pages, request_id_of

SHORT_WAIT_S: Final = 8.0
_MOST_IN_A_ROW: Final = 20


async def followed(
    pages: Pages, request: Request, session: ConnectSession, browser: Browser, *, wait_s: float = SHORT_WAIT_S
) -> tuple[ConnectSession, Challenged] | Response:
    """The challenge that the person is at, or where this browser has to go instead.

    Args:
        pages: with the use cases.
        request: its id goes into the log.
        session: claimed by this browser.
        browser: whose cookie the one-time code is made of.
        wait_s: for how many seconds an answer that is being checked is waited for.
    """
    current, deadline = session, pages.application.clock.monotonic() + min(wait_s, LONGEST_LOGIN_S)
    for _ in range(_MOST_IN_A_ROW):
        if current.state != "claimed":
            return RedirectResponse(f"/connect/{current.id}/{'failed' if current.state == 'failed' else 'done'}", 303)
        challenge_id = current.facts.get(CHALLENGE)
        if challenge_id is None:
            return RedirectResponse(f"/connect/{current.id}/sign-in", 303)
        try:
            found = await _settled(pages, current, challenge_id, deadline)
        except NotFound:
            return await back_to_sign_in(pages, current, lost())
        if found.state in (ChallengeState.WAITING, ChallengeState.PENDING):
            return current, found
        if found.successor is not None:
            current = await go_on(pages, current, found.successor)
            continue
        return await _ended(pages, request, current, browser, found)
    return await back_to_sign_in(pages, current, lost())


async def go_on(pages: Pages, session: ConnectSession, challenge_id: str, **facts: Any) -> ConnectSession:
    """Put the next challenge in place of the one that the session was at."""
    before = session.facts.get(CHALLENGE)
    changed = {CHALLENGE: challenge_id, "challenge_before": before, "answers": {}, **facts}
    return await pages.attempts.change(session, changed)


def lost() -> KeyturnError:
    """What is said where the row is gone, or says nothing of how it ended."""
    return ChallengeExpired(extensions={"retry": "lost"})


async def back_to_sign_in(pages: Pages, session: ConnectSession, error: KeyturnError) -> Response:
    """Give the challenge up, and go to where the person sees why: the sign-in, or the choice."""
    outcome = outcome_facts(error, pages.application.clock.now())
    if isinstance(error, OtpInvalid):  # the codes are at an end; how many logins are left is another matter
        outcome["extensions"].pop("tries_left", None)
    facts: dict[str, Any] = {CHALLENGE: None, "answers": {}, "ended": outcome}
    exists = isinstance(error, ConnectionExists) and error.extensions.get("connection_id")
    if exists:
        facts["exists"] = exists
    try:
        await pages.attempts.change(session, facts)
    except SessionUsed:
        return RedirectResponse(f"/connect/{session.id}/done", 303)
    return RedirectResponse(f"/connect/{session.id}/{'choose' if exists else 'sign-in?ended'}", 303)


async def _settled(pages: Pages, session: ConnectSession, challenge_id: str, deadline: float) -> Challenged:
    """How it stands; where an answer is being checked, a little later."""
    clock = pages.application.clock
    while True:
        found = await pages.application.connect_sessions.look_at_challenge(session, challenge_id)
        if found.state is not ChallengeState.PENDING or found.polls or clock.monotonic() >= deadline:
            return found
        await clock.sleep(POLL_S)


async def _ended(
    pages: Pages, request: Request, session: ConnectSession, browser: Browser, found: Challenged
) -> Response:
    connection = await _connection(pages, session, found.connection)
    if connection is not None:
        connected = Connected(connection, connection.generation == 1)
        sessions = pages.application.connect_sessions
        await sessions.finish(session, connected, cookie=browser.cookie, request_id=request_id_of(request))
        return RedirectResponse(f"/connect/{session.id}/done", 303)
    if found.error is None:
        return await back_to_sign_in(pages, session, lost())
    return await back_to_sign_in(pages, session, error_named(found.error))


async def _connection(pages: Pages, session: ConnectSession, connection_id: str | None) -> Connection | None:
    if connection_id is None:
        return None
    return await pages.application.connections.load(connection_id, project=session.project)
