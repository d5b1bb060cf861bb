"""People who sign in to the console, as callers send and get them."""

from __future__ import annotations

from pydantic import BaseModel

from keyturn.ports.people import Person
from keyturn.web.control.shapes.answers import Time
from keyturn.web.control.shapes.requests import Members, Text
from keyturn.web.control.shapes.showing import maybe_time, time_of


class NewPerson(Members):
    """Somebody who shall be able to sign in. `role`: viewer, author, operator or admin."""

    name: Text
    role: Text


class ChangedPerson(Members):
    """Another role."""

    role: Text


class PersonAnswer(BaseModel):
    """Somebody who may sign in to the console."""

    id: str
    name: str
    role: str
    created_at: Time
    signed_in_at: Time | None


class PersonList(BaseModel):
    """All of them, by name."""

    data: list[PersonAnswer]
    next_cursor: None = None


class SignInLinkAnswer(BaseModel):
    """A link that lets one browser in as this person, once; None in a replay."""

    url: str | None
    expires_at: Time


def person_answer(person: Person) -> PersonAnswer:
    """Show one."""
    return PersonAnswer(
        id=person.id,
        name=person.name,
        role=person.role.value,
        created_at=time_of(person.created_at),
        signed_in_at=maybe_time(person.signed_in_at),
    )
