"""People and their sign-in: a one-time link, then a cookie.

Rule 1: there are no passwords for the console: a link comes from somebody who may make one (the command line on the
machine, an administrator, an API key with scope admin) or the sign-in from an OpenID provider.
Rule 2: opening a link changes nothing; the POST behind its button does, once.
Rule 3: a change of role, or a removal, ends the sessions with the same commit.

Source: the threat model, A2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from keyturn.core.access.roles import Permission, Role, may
from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import Finding, NotFound, SessionExpired, SessionUsed, ValidationFailed
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.people import ConsoleSession, PeopleStore, Person, SignInLink

LINK_LIVES_S: Final = 15 * 60.0
SESSION_LIVES_S: Final = 12 * 3600.0
IDLE_S: Final = 60 * 60.0
TOUCH_EVERY_S: Final = 60.0
LONGEST_NAME: Final = 100
LONGEST_AGENT: Final = 120


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A browser that is signed in, and who is at it."""

    person: Person
    session: ConsoleSession

    def may(self, permission: Permission) -> bool:
        """Whether this person's role has the permission."""
        return may(self.person.role, permission)

    @property
    def actor_name(self) -> str:
        """As the audit log names it."""
        return f"person:{self.person.id}"


class People:
    """Makes people and their links, signs browsers in and out."""

    def __init__(self, store: PeopleStore, clock: Clock, entropy: Entropy, public_url: str) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._public_url = public_url

    async def create(self, name: str, role: Role, actor: Actor, *, subject: str | None = None) -> Person:
        """Add somebody. Raises ValidationFailed."""
        if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
            message = f"A name has 1 to {LONGEST_NAME} characters, none of them a control character."
            raise ValidationFailed(errors=[Finding("/name", "invalid", message)])
        person = Person(self._entropy.identifier("per"), name.strip(), role, self._clock.now(), subject)
        await self._store.add(person, records=[self._record("person.created", person, actor, role=role.value)])
        return person

    async def list(self) -> Sequence[Person]:
        """All that are not removed, by name."""
        return await self._store.list()

    async def person(self, person_id: str) -> Person:
        """One that is not removed; NotFound."""
        person = await self._store.load(person_id)
        if person is None or person.removed_at is not None:
            raise NotFound("There is no such person.")
        return person

    async def of_subject(self, subject: str) -> Person | None:
        """Whom an OpenID provider knows by this subject."""
        return await self._store.find_subject(subject)

    async def set_role(self, person_id: str, role: Role, actor: Actor) -> Person:
        """Give another role; the person's sessions end. NotFound, GenerationConflict."""
        person = await self.person(person_id)
        record = self._record("person.role_changed", person, actor, role=role.value)
        return await self._store.save(replace(person, role=role), end_sessions=True, records=[record])

    async def remove(self, person_id: str, actor: Actor) -> None:
        """Take somebody away; the person's sessions and links end. NotFound, GenerationConflict."""
        person = await self.person(person_id)
        gone = replace(person, removed_at=self._clock.now())
        await self._store.save(gone, end_sessions=True, records=[self._record("person.removed", person, actor)])

    async def make_link(self, person_id: str, actor: Actor) -> tuple[Secret, float]:
        """A link that lets one browser in as this person, once within 15 minutes, and when it ends. NotFound."""
        person = await self.person(person_id)
        secret = self._entropy.token(32)
        expires_at = self._clock.now() + LINK_LIVES_S
        link = SignInLink(digest_of(secret), person.id, expires_at, actor.name)
        await self._store.add_link(link, records=[self._record("person.link_made", person, actor)])
        return Secret(f"{self._public_url}/sign-in/{secret}"), expires_at

    async def look(self, secret: str) -> Person:
        """Whom a link would let in; changes nothing.

        Raises:
            SessionUsed: there is no such link, or not any more. SessionExpired.
        """
        link = await self._store.find_link(digest_of(secret))
        if link is None:
            raise SessionUsed
        if self._clock.now() >= link.expires_at:
            raise SessionExpired
        return await self.person(link.person)

    async def sign_in(self, secret: str, *, agent: str = "", request_id: str | None = None) -> tuple[SignedIn, Secret]:
        """Let the browser that posts this in; returns its cookie's value. Raises as `look`."""
        person = await self.look(secret)
        return await self._begin(person, digest_of(secret), agent, request_id)

    async def sign_in_as(
        self, person: Person, *, agent: str = "", request_id: str | None = None
    ) -> tuple[SignedIn, Secret]:
        """Let somebody in whom another party has vouched for."""
        return await self._begin(person, None, agent, request_id)

    async def _begin(
        self, person: Person, link_digest: str | None, agent: str, request_id: str | None
    ) -> tuple[SignedIn, Secret]:
        now, cookie = self._clock.now(), self._entropy.token(32)
        shown = "".join(c for c in agent if c.isprintable())[:LONGEST_AGENT]
        session = ConsoleSession(
            self._entropy.identifier("ses"), digest_of(cookie), person.id, now, now, now + SESSION_LIVES_S, shown
        )
        record = self._record("person.signed_in", person, Actor(f"person:{person.id}", request_id))
        if not await self._store.begin_session(session, link_digest=link_digest, records=[record]):
            raise SessionUsed
        return SignedIn(person, session), Secret(cookie)

    async def of_cookie(self, cookie: str) -> SignedIn | None:
        """Who is at the browser with this cookie; None where nobody is (any more)."""
        found = await self._store.find_session(digest_of(cookie))
        if found is None:
            return None
        session, person = found
        now = self._clock.now()
        if now >= session.expires_at or now - session.seen_at >= IDLE_S:
            return None
        if now - session.seen_at >= TOUCH_EVERY_S:
            await self._store.touch_session(session.id, seen_at=now)
        return SignedIn(person, session)

    async def sessions_of(self, person_id: str) -> Sequence[ConsoleSession]:
        """Where somebody is signed in."""
        return await self._store.sessions_of(person_id)

    async def end_session(self, session_id: str, person: Person, actor: Actor) -> None:
        """Sign a browser out; one that is gone already is fine."""
        await self._store.end_session(session_id, records=[self._record("person.signed_out", person, actor)])

    def _record(self, action: str, person: Person, actor: Actor, **facts: str) -> AuditRecord:
        told = {"person": person.id, **facts}
        return AuditRecord(self._clock.now(), action, actor.name, request_id=actor.request_id, facts=told)


def digest_of(secret: str) -> str:
    """SHA-256 is enough for 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
