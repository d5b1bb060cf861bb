"""People who may sign in: who, as what, where; made, changed and taken away by administrators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from keyturn.core.access.roles import Permission, Role
from keyturn.core.errors import Finding, ValidationFailed
from keyturn.web.console.page import Page
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit


async def show_people(console: Console, visit: Visit) -> Response:
    """All of them."""
    people = await console.application.people.list()
    return console.page(visit, "people.html", people=people, roles=list(Role), errors=(), typed="", email="")


async def post_person(console: Console, visit: Visit) -> Response:
    """Add somebody and show the first sign-in link, this once; who is invited by e-mail needs none."""
    name, email = visit.form.text("name"), visit.form.text("email")
    try:
        person = await console.application.people.create(name, _role(visit), visit.actor, email=email)
    except ValidationFailed as error:
        people = await console.application.people.list()
        return console.page(
            visit, "people.html", status=422, people=people, roles=list(Role), errors=error.errors, typed=name,
            email=email,
        )  # fmt: skip
    if person.email is not None or not console.application.people.links:
        return console.back(f"/people/{person.id}", said="invited")
    return await _link_shown(console, visit, person.id)


async def show_person(console: Console, visit: Visit) -> Response:
    """One of them, and where they are signed in."""
    return await _person_page(console, visit, visit.path("person"))


async def post_link(console: Console, visit: Visit) -> Response:
    """Make a sign-in link and show it, this once."""
    return await _link_shown(console, visit, visit.path("person"))


async def _link_shown(console: Console, visit: Visit, person_id: str) -> Response:
    link, ends = await console.application.people.make_link(person_id, visit.actor)
    return await _person_page(console, visit, person_id, link=link.reveal(), ends=ends)


async def _person_page(
    console: Console, visit: Visit, person_id: str, *, link: str | None = None, ends: float | None = None,
    errors: Sequence[Finding] = (), typed: str | None = None,
) -> Response:  # fmt: skip
    people = console.application.people
    person = await people.person(person_id)
    return console.page(
        visit, "person.html", status=422 if errors else 200, person=person, roles=list(Role), link=link, ends=ends,
        sessions=await people.live_sessions_of(person_id), errors=errors,
        typed=person.email or "" if typed is None else typed,
    )  # fmt: skip


async def post_invite(console: Console, visit: Visit) -> Response:
    """Invite somebody by another e-mail, or take that back."""
    person_id, email = visit.path("person"), visit.form.text("email")
    try:
        await console.application.people.invite(person_id, email, visit.actor)
    except ValidationFailed as error:
        return await _person_page(console, visit, person_id, errors=error.errors, typed=email)
    return console.back(f"/people/{person_id}", said="invited" if email.strip() else "not_invited")


async def post_role(console: Console, visit: Visit) -> Response:
    """Give another role; the person signs in anew."""
    await console.application.people.set_role(visit.path("person"), _role(visit), visit.actor)
    return console.back(f"/people/{visit.path('person')}", said="role_changed")


async def post_remove(console: Console, visit: Visit) -> Response:
    """Take somebody away."""
    await console.application.people.remove(visit.path("person"), visit.actor)
    return console.back("/people", said="removed")


async def post_end_session(console: Console, visit: Visit) -> Response:
    """Sign one of a person's browsers out."""
    people = console.application.people
    person = await people.person(visit.path("person"))
    if any(each.id == visit.path("session") for each in await people.sessions_of(person.id)):
        await people.end_session(visit.path("session"), person, visit.actor)
    return console.back(f"/people/{person.id}", said="signed_out")


def _role(visit: Visit) -> Role:
    try:
        return Role(visit.form.text("role"))
    except ValueError:
        message = f"The roles are: {', '.join(Role)}."
        raise ValidationFailed(errors=[Finding("/role", "invalid", message)]) from None


_ADMIN: Final = Permission.ADMINISTER
PAGES: Final = (
    Page("GET", "/people", show_people, _ADMIN),
    Page("POST", "/people", post_person, _ADMIN, fresh=True),
    Page("GET", "/people/{person}", show_person, _ADMIN),
    Page("POST", "/people/{person}/link", post_link, _ADMIN, fresh=True),
    Page("POST", "/people/{person}/invite", post_invite, _ADMIN, fresh=True),
    Page("POST", "/people/{person}/role", post_role, _ADMIN, fresh=True),
    Page("POST", "/people/{person}/remove", post_remove, _ADMIN),
    Page("POST", "/people/{person}/sessions/{session}/end", post_end_session, _ADMIN),
)
