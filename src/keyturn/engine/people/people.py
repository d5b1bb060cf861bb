"""People and their sign-in: a one-time link, then a cookie.

Rule 1: there are no passwords for the console: a link comes from somebody who may make one (the command line on the
machine, an administrator, an API key with scope admin) or the sign-in from an OpenID provider.
Rule 2: opening a link changes nothing; the POST behind its button does, once.
Rule 3: a change of role, or a removal, ends the sessions with the same commit.
Rule 4: a new sign-in ends the session that this browser held, with the same commit.
Rule 5: what could give somebody more than they have asks for a sign-in that is no older than `FRESH_S`.

Sources: the threat model, A2; OWASP ASVS 5.0, 6.5.5, 7.2.4, 7.5.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from keyturn.core.access.openid import normal_email
from keyturn.core.access.roles import Permission, Role, may
from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import Finding, NotFound, SignInLinkExpired, SignInLinksOff, SignInLinkUsed, ValidationFailed
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.people import ConsoleSession, PeopleStore, Person, SignInLink

LINK_LIVES_S: Final = 10 * 60.0
SESSION_LIVES_S: Final = 12 * 3600.0
IDLE_S: Final = 60 * 60.0
FRESH_S: Final = 5 * 60.0
TOUCH_EVERY_S: Final = 60.0
LONGEST_NAME: Final = 100
ID_PREFIX: Final = "per_"
OPERATOR: Final = "operator"  # whoever may read the data directory
LONGEST_AGENT: Final = 120


@dataclass(frozen=True, slots=True)
class AskingBrowser:
    """What is known of a browser that wants in. `held`: the cookie that it has already; empty where it has none."""

    agent: str = ""
    held: str = field(default="", repr=False)
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A browser that is signed in, and who is at it. `form_mark`: what this person's forms carry in every session."""

    person: Person
    session: ConsoleSession
    form_mark: str = ""

    def may(self, permission: Permission) -> bool:
        """Whether this person's role has the permission."""
        return may(self.person.role, permission)

    def is_fresh(self, now: float) -> bool:
        """Whether this person proved who they are within the last five minutes."""
        at = self.session.authenticated_at
        return at is not None and now - at <= FRESH_S

    @property
    def actor_name(self) -> str:
        """As the audit log names it."""
        return f"person:{self.person.id}"


class People:
    """Makes people and their links, signs browsers in and out.

    `links`: whether anybody but the operator's own command line may make links; None of others' lets in otherwise.
    """

    def __init__(
        self, store: PeopleStore, clock: Clock, entropy: Entropy, public_url: str, *, links: bool = True
    ) -> None:
        self._store = store
        self.links = links
        self._clock = clock
        self._entropy = entropy
        self._public_url = public_url

    async def create(self, name: str, role: Role, actor: Actor, *, email: str = "") -> Person:
        """Add somebody; with an e-mail, invite them to come through the OpenID provider. Raises ValidationFailed."""
        if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
            message = f"A name has 1 to {LONGEST_NAME} characters, none of them a control character."
            raise ValidationFailed(errors=[Finding("/name", "invalid", message)])
        invited = await self._invitable(email) if email.strip() else None
        person = Person(self._entropy.identifier("per"), name.strip(), role, self._clock.now(), email=invited)
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

    async def known(self, person_id: str) -> Person | None:
        """One whom a record names, also if removed since; None where there never was one."""
        return await self._store.load(person_id)

    async def meant(self, text: str) -> Person | None:
        """Who is meant by an id or a name; None where nobody has this name.

        Raises:
            ValidationFailed: several have it, or the id is nobody's.
        """
        listed = await self.list()
        found = [each for each in listed if each.id == text] or [each for each in listed if each.name == text.strip()]
        if len(found) > 1:
            message = f"Several people have this name; give the id of one: {', '.join(each.id for each in found)}."
            raise ValidationFailed(errors=[Finding("/name", "ambiguous", message)])
        if not found and text.startswith(ID_PREFIX):
            raise ValidationFailed(errors=[Finding("/name", "unknown", "There is no person with this id.")])
        return found[0] if found else None

    async def invite(self, person_id: str, email: str, actor: Actor) -> Person:
        """Let the OpenID provider's user with this verified e-mail sign in as this person; empty takes that back.

        Whoever is linked now is so no more, and the person's sessions end. NotFound, ValidationFailed,
        GenerationConflict.
        """
        person = await self.person(person_id)
        invited = await self._invitable(email, person) if email.strip() else None
        record = self._record("person.invited" if invited else "person.unlinked", person, actor)
        changed = replace(person, email=invited, subject=None)
        return await self._store.save(changed, end_sessions=person.subject is not None, records=[record])

    async def _invitable(self, email: str, person: Person | None = None) -> str:
        found = normal_email(email)
        if found is None:
            raise ValidationFailed(errors=[Finding("/email", "invalid", "An e-mail such as ada@example.com.")])
        others = [each for each in await self.list() if person is None or each.id != person.id]
        if any(each.email == found for each in others):
            raise ValidationFailed(errors=[Finding("/email", "taken", "Somebody else is invited by this e-mail.")])
        return found

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
        """A link that lets one browser in as this person, once within 10 minutes, and when it ends.

        Raises:
            NotFound. SignInLinksOff: only the operator's own command line makes links here.
        """
        if not self.links and actor.name != OPERATOR:
            raise SignInLinksOff
        person = await self.person(person_id)
        secret = self._entropy.token(32)
        expires_at = self._clock.now() + LINK_LIVES_S
        link = SignInLink(digest_of(secret), person.id, expires_at, actor.name)
        await self._store.add_link(link, records=[self._record("person.link_made", person, actor)])
        return Secret(f"{self._public_url}/sign-in/{secret}"), expires_at

    async def look(self, secret: str) -> Person:
        """Whom a link would let in; changes nothing.

        Raises:
            SignInLinkUsed: there is no such link, or not any more. SignInLinkExpired.
            SignInLinksOff: it was made before links were switched off.
        """
        link = await self._store.find_link(digest_of(secret))
        if link is None:
            raise SignInLinkUsed
        if self._clock.now() >= link.expires_at:
            raise SignInLinkExpired
        if not self.links and link.created_by != OPERATOR:
            raise SignInLinksOff
        return await self.person(link.person)

    async def sign_in(self, secret: str, browser: AskingBrowser) -> tuple[SignedIn, Secret]:
        """Let the browser that posts this in; returns its cookie's value. Raises as `look`."""
        person = await self.look(secret)
        return await self._begin(person, digest_of(secret), browser, self._clock.now())

    async def sign_in_as(
        self, person: Person, browser: AskingBrowser, *, authenticated_at: float | None
    ) -> tuple[SignedIn, Secret]:
        """Let somebody in whom another party has vouched for.

        `authenticated_at`: when the person proved to that party who they are; None where it doesn't say.
        """
        return await self._begin(person, None, browser, authenticated_at)

    async def _begin(
        self, person: Person, link_digest: str | None, browser: AskingBrowser, authenticated_at: float | None
    ) -> tuple[SignedIn, Secret]:
        now, cookie = self._clock.now(), self._entropy.token(32)
        actor = Actor(f"person:{person.id}", browser.request_id)
        records = [self._record("person.signed_in", person, actor)]
        held = await self._store.find_session(digest_of(browser.held)) if browser.held else None
        ends = before = None
        if held is not None:
            ends = held[0].digest
            before = ends if held[1].id == person.id else None
            records.insert(0, self._record("person.signed_out", held[1], actor))
        session = ConsoleSession(
            self._entropy.identifier("ses"), digest_of(cookie), person.id, now, now, now + SESSION_LIVES_S,
            "".join(c for c in browser.agent if c.isprintable())[:LONGEST_AGENT], person.project,
            authenticated_at, before,
        )  # fmt: skip
        if not await self._store.begin_session(session, link_digest=link_digest, ends=ends, records=records):
            raise SignInLinkUsed
        return SignedIn(person, session), Secret(cookie)

    async def of_cookie(self, cookie: str, *, used: bool = True) -> SignedIn | None:
        """Who is at the browser with this cookie; None where nobody is (any more).

        `used`: somebody does something; else it is a page that asks by itself, and the session goes on ageing.
        """
        found = await self._store.find_session(digest_of(cookie))
        if found is None:
            return None
        session, person = found
        now = self._clock.now()
        if not _is_live(session, now):
            return None
        if used and now - session.seen_at >= TOUCH_EVERY_S:
            await self._store.touch_session(session.id, seen_at=now)
        return SignedIn(person, session, await self._store.form_mark(person.id, project=person.project))

    async def sessions_of(self, person_id: str) -> Sequence[ConsoleSession]:
        """Where somebody is signed in."""
        return await self._store.sessions_of(person_id)

    async def live_sessions_of(self, person_id: str) -> Sequence[ConsoleSession]:
        """Those by which somebody still gets in."""
        now = self._clock.now()
        return [each for each in await self.sessions_of(person_id) if _is_live(each, now)]

    async def end_session(self, session_id: str, person: Person, actor: Actor) -> None:
        """Sign a browser out; one that is gone already is fine."""
        await self._store.end_session(session_id, records=[self._record("person.signed_out", person, actor)])

    async def end_others(self, who: SignedIn, actor: Actor) -> int:
        """Sign this person's other browsers out; says how many."""
        others = [each for each in await self.sessions_of(who.person.id) if each.id != who.session.id]
        for each in others:
            await self.end_session(each.id, who.person, actor)
        return len(others)

    async def end_all(self, person: Person, actor: Actor) -> int:
        """Sign all of this person's browsers out; says how many."""
        sessions = await self.sessions_of(person.id)
        for each in sessions:
            await self.end_session(each.id, person, actor)
        return len(sessions)

    def _record(self, action: str, person: Person, actor: Actor, **facts: str) -> AuditRecord:
        told = {"person": person.id, **facts}
        return AuditRecord(self._clock.now(), action, actor.name, request_id=actor.request_id, facts=told)


def _is_live(session: ConsoleSession, now: float) -> bool:
    return now < session.expires_at and now - session.seen_at < IDLE_S


def digest_of(secret: str) -> str:
    """SHA-256 is enough for 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
