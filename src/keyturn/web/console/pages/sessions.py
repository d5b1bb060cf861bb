"""Your own sessions: where you are signed in, and how one or all others end."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.web.console.page import Page
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit


async def show_sessions(console: Console, visit: Visit) -> Response:
    """All of yours that have not ended, newest first."""
    sessions = await console.application.people.live_sessions_of(visit.who.person.id)
    return console.page(visit, "sessions.html", sessions=sessions, own=visit.who.session.id)


async def post_end(console: Console, visit: Visit) -> Response:
    """Sign one of your browsers out; one that is gone already is fine."""
    people, who = console.application.people, visit.who
    if any(each.id == visit.path("session") for each in await people.sessions_of(who.person.id)):
        await people.end_session(visit.path("session"), who.person, visit.actor)
    return console.back("/sessions", said="ended")


async def post_end_others(console: Console, visit: Visit) -> Response:
    """Sign all your browsers out but this one."""
    await console.application.people.end_others(visit.who, visit.actor)
    return console.back("/sessions", said="others_ended")


PAGES: Final = (
    Page("GET", "/sessions", show_sessions, Permission.VIEW),
    Page("POST", "/sessions/end-others", post_end_others, Permission.VIEW, fresh=True),
    Page("POST", "/sessions/{session}/end", post_end, Permission.VIEW, fresh=True),
)
