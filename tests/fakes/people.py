"""People, links and sessions in memory."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import replace

from keyturn.core.audit_record import AuditRecord
from keyturn.ports.people import ConsoleSession, Person, SignInLink
from keyturn.ports.store import RevisionConflict
from tests.fakes.database import FakeDatabase


class FakePeopleStore:
    """Promises: the port's."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self._people: dict[str, Person] = {}
        self._links: dict[str, SignInLink] = {}
        self._sessions: dict[str, ConsoleSession] = {}

    async def add(self, person: Person, *, records: Sequence[AuditRecord] = ()) -> None:
        """Add one."""
        self._one_of_a_subject(person)
        await self._database.write("people.add")
        self._database.log(records)
        self._people[person.id] = person

    async def load(self, person_id: str, *, project: str = "default") -> Person | None:
        """Read one, removed ones too."""
        await self._database.read()
        found = self._people.get(person_id)
        return found if found is not None and found.project == project else None

    async def find_subject(self, subject: str, *, project: str = "default") -> Person | None:
        """Whom an OpenID provider knows by this subject."""
        return next((each for each in await self.list(project=project) if each.subject == subject), None)

    async def find_invited(self, email: str, *, project: str = "default") -> Person | None:
        """The one person, neither removed nor linked, who is invited by this e-mail."""
        found = [each for each in await self.list(project=project) if each.email == email and each.subject is None]
        return found[0] if len(found) == 1 else None

    def _one_of_a_subject(self, person: Person) -> None:
        if person.subject is not None and any(
            (each.subject, each.project, each.removed_at) == (person.subject, person.project, None)
            for each in self._people.values()
            if each.id != person.id and person.removed_at is None
        ):
            raise RevisionConflict("another person has this subject")

    async def list(self, *, project: str = "default") -> Sequence[Person]:
        """All that are not removed, by name."""
        await self._database.read()
        there = [each for each in self._people.values() if each.project == project and each.removed_at is None]
        return tuple(sorted(there, key=lambda each: (each.name, each.id)))

    async def save(self, person: Person, *, end_sessions: bool = False, records: Sequence[AuditRecord] = ()) -> Person:
        """Write over the row that has this revision."""
        await self._database.read()
        current = self._people.get(person.id)
        if current is None or (current.project, current.revision) != (person.project, person.revision):
            raise RevisionConflict("the person was written by another")
        self._one_of_a_subject(person)
        await self._database.write("people.save")
        self._database.log(records)
        written = replace(person, revision=person.revision + 1)
        self._people[person.id] = written
        if end_sessions:
            self._links = {digest: each for digest, each in self._links.items() if each.person != person.id}
            self._sessions = {key: each for key, each in self._sessions.items() if each.person != person.id}
        return written

    async def add_link(self, link: SignInLink, *, records: Sequence[AuditRecord] = ()) -> None:
        """Add one."""
        await self._database.write("people.add_link")
        self._database.log(records)
        self._links[link.digest] = link

    async def find_link(self, digest: str) -> SignInLink | None:
        """Read one that was not used."""
        await self._database.read()
        return self._links.get(digest)

    async def begin_session(
        self,
        session: ConsoleSession,
        *,
        link_digest: str | None,
        ends: str | None = None,
        records: Sequence[AuditRecord] = (),
    ) -> bool:
        """Add a session; with a link only if that is still there."""
        await self._database.read()
        person = self._people.get(session.person)
        link = self._links.get(link_digest) if link_digest is not None else None
        if link_digest is not None and (link is None or link.person != session.person):
            return False
        if person is None or person.removed_at is not None:
            return False
        await self._database.write("people.begin_session")
        self._database.log(records)
        if link_digest is not None:
            del self._links[link_digest]
        self._people[person.id] = replace(person, signed_in_at=session.created_at)
        self._sessions = {key: each for key, each in self._sessions.items() if ends is None or each.digest != ends}
        self._sessions[session.id] = session
        return True

    async def find_session(self, digest: str) -> tuple[ConsoleSession, Person] | None:
        """The session with this cookie and its person."""
        await self._database.read()
        session = next((each for each in self._sessions.values() if each.digest == digest), None)
        person = self._people.get(session.person) if session is not None else None
        if session is None or person is None or person.removed_at is not None:
            return None
        return session, person

    async def form_mark(self, person_id: str, *, project: str = "default") -> str:
        """The keyed hash."""
        return hmac.new(b"a key", f"{project} {person_id}".encode(), "sha256").hexdigest()

    async def sessions_of(self, person_id: str, *, project: str = "default") -> Sequence[ConsoleSession]:
        """The person's sessions, newest first."""
        await self._database.read()
        theirs = [each for each in self._sessions.values() if (each.person, each.project) == (person_id, project)]
        return tuple(sorted(theirs, key=lambda each: (each.created_at, each.id), reverse=True))

    async def touch_session(self, session_id: str, *, seen_at: float) -> None:
        """Note that it was used."""
        await self._database.write("people.touch_session")
        session = self._sessions.get(session_id)
        if session is not None and session.seen_at < seen_at:
            self._sessions[session_id] = replace(session, seen_at=seen_at)

    async def end_session(self, session_id: str, *, records: Sequence[AuditRecord] = ()) -> bool:
        """End one; of one that is gone nothing is recorded."""
        await self._database.read()
        if session_id not in self._sessions:
            return False
        await self._database.write("people.end_session")
        self._database.log(records)
        del self._sessions[session_id]
        return True

    async def purge(self, *, now: float) -> int:
        """Take links and sessions away that have expired."""
        await self._database.write("people.purge")
        before = len(self._links) + len(self._sessions)
        self._links = {digest: each for digest, each in self._links.items() if each.expires_at > now}
        self._sessions = {key: each for key, each in self._sessions.items() if each.expires_at > now}
        return before - len(self._links) - len(self._sessions)
