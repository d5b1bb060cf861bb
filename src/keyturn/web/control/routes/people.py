"""People who may sign in to the console: added, changed, taken away, let in."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from keyturn.core.access.roles import Role
from keyturn.core.errors import Finding, NotFound, ValidationFailed
from keyturn.web.control.caller import App, Calling
from keyturn.web.control.operations import LIMITS, Operation, Takes
from keyturn.web.control.shapes.people import (
    ChangedPerson,
    ConsoleSessionList,
    NewPerson,
    PersonAnswer,
    PersonList,
    SignInLinkAnswer,
    console_session_answer,
    person_answer,
)
from keyturn.web.control.shapes.requests import Nothing
from keyturn.web.control.shapes.showing import answer, time_of
from keyturn.web.control.shown_once import sign_in_text

TAG: Final = "people"
EXAMPLE: Final[dict[str, Any]] = {
    "id": "per_5f0c6e2d",
    "name": "Ada",
    "role": "operator",
    "email": "ada@example.com",
    "linked": False,
    "created_at": "2030-01-31T12:00:00.000Z",
    "signed_in_at": None,
}


async def list_people(app: App, caller: Calling) -> Response:
    """List the people who may sign in."""
    return answer(PersonList(data=[person_answer(each) for each in await app.people.list()]))


async def create_person(body: NewPerson, app: App, caller: Calling) -> Response:
    """Add somebody.

    There is no password: make a sign-in link for them afterwards, or give the e-mail by which the OpenID provider
    knows them.
    """
    person = await app.people.create(body.name, _role(body.role), caller.actor, email=body.email or "")
    return answer(person_answer(person), 201)


async def change_person(person_id: str, body: ChangedPerson, app: App, caller: Calling) -> Response:
    """Give somebody another role, or invite them by another e-mail.

    After another role their sessions end: they sign in anew. So it is where an invitation takes the place of a link to
    the OpenID provider.
    """
    if body.role is None and body.email is None:
        raise ValidationFailed(errors=[Finding("", "empty", "Give a role, an email, or both.")])
    person = await app.people.person(person_id)
    role = _role(body.role) if body.role is not None else None
    if body.email is not None:
        person = await app.people.invite(person_id, body.email, caller.actor)
    if role is not None:
        person = await app.people.set_role(person_id, role, caller.actor)
    return answer(person_answer(person))


async def remove_person(person_id: str, app: App, caller: Calling) -> Response:
    """Take somebody away.

    Their sessions and open links end with the same write.
    """
    await app.people.remove(person_id, caller.actor)
    return Response(status_code=204)


async def create_sign_in_link(person_id: str, body: Nothing, app: App, caller: Calling) -> Response:
    """Make a sign-in link.

    It is shown this once and lets one browser in, once, within 10 minutes.
    """
    link, expires_at = await app.people.make_link(person_id, caller.actor)
    return answer(SignInLinkAnswer(url=sign_in_text(link), expires_at=time_of(expires_at)), 201)


async def list_console_sessions(person_id: str, app: App, caller: Calling) -> Response:
    """List where somebody is signed in to the console."""
    person = await app.people.person(person_id)
    found = await app.people.live_sessions_of(person.id)
    return answer(ConsoleSessionList(data=[console_session_answer(each) for each in found]))


async def end_console_session(person_id: str, session_id: str, app: App, caller: Calling) -> Response:
    """Sign one of somebody's browsers out."""
    person = await app.people.person(person_id)
    if not any(each.id == session_id for each in await app.people.sessions_of(person.id)):
        raise NotFound("There is no such session of this person.")
    await app.people.end_session(session_id, person, caller.actor)
    return Response(status_code=204)


async def end_console_sessions(person_id: str, app: App, caller: Calling) -> Response:
    """Sign all of somebody's browsers out.

    Sign-in links that are still open stay good.
    """
    await app.people.end_all(await app.people.person(person_id), caller.actor)
    return Response(status_code=204)


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        message = f"The roles are: {', '.join(Role)}."
        raise ValidationFailed(errors=[Finding("/role", "unknown_role", message)]) from None


SESSION: Final[dict[str, Any]] = {
    "id": "ses_5f0c6e2d",
    "agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "created_at": "2030-01-31T12:00:00.000Z",
    "seen_at": "2030-01-31T12:20:00.000Z",
    "expires_at": "2030-02-01T00:00:00.000Z",
    "authenticated_at": "2030-01-31T12:00:00.000Z",
}
_SESSIONS: Final = "/v1/people/{person_id}/sessions"
_NEW: Final = {"name": "Ada", "role": "operator", "email": "ada@example.com"}
OPERATIONS: Final = (
    Operation(
        "GET", "/v1/people", list_people, "admin", {200: PersonList}, TAG, unlimited_by=LIMITS,
        answer_example={"data": [EXAMPLE], "next_cursor": None},
    ),
    Operation(
        "POST", "/v1/people", create_person, "admin", {201: PersonAnswer}, TAG, unlimited_by=LIMITS,
        takes=Takes.JSON, example=_NEW, answer_example=EXAMPLE,
    ),
    Operation(
        "PATCH", "/v1/people/{person_id}", change_person, "admin", {200: PersonAnswer}, TAG, unlimited_by=LIMITS,
        takes=Takes.JSON, problems=("generation_conflict",), example={"role": "viewer"}, answer_example=EXAMPLE,
    ),
    Operation(
        "DELETE", "/v1/people/{person_id}", remove_person, "admin", {204: None}, TAG, problems=("generation_conflict",),
        unlimited_by=LIMITS,
    ),
    Operation(
        "POST", "/v1/people/{person_id}/sign-in-links", create_sign_in_link, "admin", {201: SignInLinkAnswer}, TAG,
        unlimited_by=LIMITS, problems=("sign_in_links_off",),
        takes=Takes.JSON, example={}, secret=("url",),
        answer_example={"url": "https://broker.example/sign-in/…", "expires_at": "2030-01-31T12:10:00.000Z"},
    ),
    Operation(
        "GET", _SESSIONS, list_console_sessions, "admin", {200: ConsoleSessionList}, TAG, unlimited_by=LIMITS,
        answer_example={"data": [SESSION], "next_cursor": None},
    ),
    Operation("DELETE", _SESSIONS, end_console_sessions, "admin", {204: None}, TAG, unlimited_by=LIMITS),
    Operation(
        "DELETE", f"{_SESSIONS}/{{session_id}}", end_console_session, "admin", {204: None}, TAG, unlimited_by=LIMITS,
    ),
)  # fmt: skip
