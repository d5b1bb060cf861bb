"""People who sign in to the console, as callers send and get them."""

from __future__ import annotations

from pydantic import BaseModel

from keyturn.ports.people import ConsoleSession, Person
from keyturn.web.control.shapes.answers import Time
from keyturn.web.control.shapes.requests import Members, Text
from keyturn.web.control.shapes.showing import maybe_time, time_of


class NewPerson(Members):
    """Somebody who shall be able to sign in. `role`: viewer, author, operator or admin.

    `email`: with it they may come through the OpenID provider, where that has verified it.
    """

    name: Text
    role: Text
    email: Text | None = None


class ChangedPerson(Members):
    """Another role, or another invitation; at least one of them. `email`: empty takes an invitation or a link back."""

    role: Text | None = None
    email: Text | None = None


class PersonAnswer(BaseModel):
    """Somebody who may sign in to the console. `email`: an invitation that waits; `linked`: to the OpenID provider."""

    id: str
    name: str
    role: str
    email: str | None
    linked: bool
    created_at: Time
    signed_in_at: Time | None


class PersonList(BaseModel):
    """All of them, by name."""

    data: list[PersonAnswer]
    next_cursor: None = None


class ConsoleSessionAnswer(BaseModel):
    """A browser that is signed in. `agent`: what it calls itself; `authenticated_at`: None where nobody knows."""

    id: str
    agent: str
    created_at: Time
    seen_at: Time
    expires_at: Time
    authenticated_at: Time | None


class ConsoleSessionList(BaseModel):
    """Those by which the person still gets in, newest first."""

    data: list[ConsoleSessionAnswer]
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
        email=person.email,
        linked=person.subject is not None,
        created_at=time_of(person.created_at),
        signed_in_at=maybe_time(person.signed_in_at),
    )


def console_session_answer(session: ConsoleSession) -> ConsoleSessionAnswer:
    """Show one; its cookie is known to the browser alone."""
    return ConsoleSessionAnswer(
        id=session.id,
        agent=session.agent,
        created_at=time_of(session.created_at),
        seen_at=time_of(session.seen_at),
        expires_at=time_of(session.expires_at),
        authenticated_at=maybe_time(session.authenticated_at),
    )
