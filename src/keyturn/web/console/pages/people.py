"""People who may sign in: who, as what, where; made, changed and taken away by administrators."""

from __future__ import annotations

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
    return console.page(visit, "people.html", people=people, roles=list(Role), errors=(), typed="")


async def post_person(console: Console, visit: Visit) -> Response:
    """Add somebody and show the first sign-in link, this once."""
    name = visit.form.text("name")
    try:
        person = await console.application.people.create(name, _role(visit), visit.actor)
    except ValidationFailed as error:
        people = await console.application.people.list()
        return console.page(
            visit, "people.html", status=422, people=people, roles=list(Role), errors=error.errors, typed=name
        )
    return await _link_shown(console, visit, person.id)


async def show_person(console: Console, visit: Visit) -> Response:
    """One of them, and where they are signed in."""
    person = await console.application.people.person(visit.path("person"))
    sessions = await console.application.people.sessions_of(person.id)
    return console.page(visit, "person.html", person=person, sessions=sessions, roles=list(Role), link=None, ends=None)


async def post_link(console: Console, visit: Visit) -> Response:
    """Make a sign-in link and show it, this once."""
    return await _link_shown(console, visit, visit.path("person"))


async def _link_shown(console: Console, visit: Visit, person_id: str) -> Response:
    people = console.application.people
    person = await people.person(person_id)
    link, ends = await people.make_link(person_id, visit.actor)
    sessions = await people.sessions_of(person_id)
    return console.page(
        visit, "person.html", person=person, sessions=sessions, roles=list(Role), link=link.reveal(), ends=ends
    )


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
    Page("POST", "/people", post_person, _ADMIN),
    Page("GET", "/people/{person}", show_person, _ADMIN),
    Page("POST", "/people/{person}/link", post_link, _ADMIN),
    Page("POST", "/people/{person}/role", post_role, _ADMIN),
    Page("POST", "/people/{person}/remove", post_remove, _ADMIN),
    Page("POST", "/people/{person}/sessions/{session}/end", post_end_session, _ADMIN),
)
