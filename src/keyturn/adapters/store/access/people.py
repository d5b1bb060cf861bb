"""People who sign in to the console, their links and their sessions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import sqlalchemy as sa

from keyturn.adapters.store.audit import add_records
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.meta import StoreKeys
from keyturn.adapters.store.database.people_tables import console_sessions, people, sign_in_links
from keyturn.core.access.roles import Role
from keyturn.core.audit_record import AuditRecord
from keyturn.ports.people import ConsoleSession, Person, SignInLink
from keyturn.ports.store import RevisionConflict

_p, _l, _s = people.c, sign_in_links.c, console_sessions.c


class SqlPeopleStore:
    """Promises: the port's."""

    def __init__(self, database: Database, store_keys: StoreKeys) -> None:
        self._database = database
        self._store_keys = store_keys

    async def add(self, person: Person, *, records: Sequence[AuditRecord] = ()) -> None:
        """Add one."""

        def body(tx: sa.Connection) -> None:
            with _one_of_a_subject():
                tx.execute(sa.insert(people), _columns_of(person))
            add_records(tx, records)

        await self._database.write(body)

    async def load(self, person_id: str, *, project: str = "default") -> Person | None:
        """Read one, removed ones too."""
        return await self._person(sa.select(people).where(_p.id == person_id, _p.project == project))

    async def find_subject(self, subject: str, *, project: str = "default") -> Person | None:
        """The person, not removed, whom an OpenID provider knows by this subject."""
        query = sa.select(people).where(_p.subject == subject, _p.project == project, _p.removed_at.is_(None))
        return await self._person(query)

    async def find_invited(self, email: str, *, project: str = "default") -> Person | None:
        """The one person, neither removed nor linked, who is invited by this e-mail."""
        theirs = (_p.email == email, _p.project == project, _p.removed_at.is_(None), _p.subject.is_(None))
        rows = await self._database.read(lambda tx: tx.execute(sa.select(people).where(*theirs).limit(2)).all())
        return _person_in(rows[0]) if len(rows) == 1 else None

    async def list(self, *, project: str = "default") -> Sequence[Person]:
        """All that are not removed, by name."""
        query = sa.select(people).where(_p.project == project, _p.removed_at.is_(None)).order_by(_p.name, _p.id)
        rows = await self._database.read(lambda tx: tx.execute(query).all())
        return tuple(_person_in(row) for row in rows)

    async def save(self, person: Person, *, end_sessions: bool = False, records: Sequence[AuditRecord] = ()) -> Person:
        """Write over the row that has this revision."""
        written = replace(person, revision=person.revision + 1)
        change = (
            sa.update(people)
            .where(_p.id == person.id, _p.project == person.project, _p.revision == person.revision)
            .values(_columns_of(written))
        )

        def body(tx: sa.Connection) -> Person:
            with _one_of_a_subject():
                changed = tx.execute(change).rowcount
            if changed != 1:
                raise RevisionConflict("the person was written by another")
            if end_sessions:
                tx.execute(sa.delete(console_sessions).where(_s.person == person.id, _s.project == person.project))
                tx.execute(sa.delete(sign_in_links).where(_l.person == person.id, _l.project == person.project))
            add_records(tx, records)
            return written

        return await self._database.write(body)

    async def add_link(self, link: SignInLink, *, records: Sequence[AuditRecord] = ()) -> None:
        """Add one."""

        def body(tx: sa.Connection) -> None:
            tx.execute(sa.insert(sign_in_links), asdict(link))
            add_records(tx, records)

        await self._database.write(body)

    async def find_link(self, digest: str) -> SignInLink | None:
        """Read one that was not used."""
        query = sa.select(sign_in_links).where(_l.digest == digest)
        row = await self._database.read(lambda tx: tx.execute(query).one_or_none())
        return None if row is None else SignInLink(**row._mapping)

    async def begin_session(
        self,
        session: ConsoleSession,
        *,
        link_digest: str | None,
        ends: str | None = None,
        records: Sequence[AuditRecord] = (),
    ) -> bool:
        """Add a session; with a link only if that is still there."""
        theirs = (_p.id == session.person, _p.project == session.project, _p.removed_at.is_(None))
        seen = sa.update(people).where(*theirs).values(signed_in_at=session.created_at)

        def body(tx: sa.Connection) -> bool:
            if link_digest is not None:
                used = sa.delete(sign_in_links).where(_l.digest == link_digest, _l.person == session.person)
                if tx.execute(used).rowcount != 1:
                    return False
            if tx.execute(seen).rowcount != 1:
                return False
            if ends is not None:
                tx.execute(sa.delete(console_sessions).where(_s.digest == ends))
            tx.execute(sa.insert(console_sessions), asdict(session))
            add_records(tx, records)
            return True

        return await self._database.write(body)

    async def find_session(self, digest: str) -> tuple[ConsoleSession, Person] | None:
        """The session with this cookie and its person."""
        query = sa.select(console_sessions).where(_s.digest == digest)
        row = await self._database.read(lambda tx: tx.execute(query).one_or_none())
        if row is None:
            return None
        session = ConsoleSession(**row._mapping)
        person = await self.load(session.person, project=session.project)
        return None if person is None or person.removed_at is not None else (session, person)

    async def form_mark(self, person_id: str, *, project: str = "default") -> str:
        """The keyed hash."""
        return self._store_keys.hash_of("console form", project, person_id).hex()

    async def sessions_of(self, person_id: str, *, project: str = "default") -> Sequence[ConsoleSession]:
        """The person's sessions, newest first."""
        query = sa.select(console_sessions).where(_s.person == person_id, _s.project == project)
        query = query.order_by(_s.created_at.desc(), _s.id.desc())
        rows = await self._database.read(lambda tx: tx.execute(query).all())
        return tuple(ConsoleSession(**row._mapping) for row in rows)

    async def touch_session(self, session_id: str, *, seen_at: float) -> None:
        """Note that it was used."""
        change = sa.update(console_sessions).where(_s.id == session_id, _s.seen_at < seen_at).values(seen_at=seen_at)
        await self._database.write(lambda tx: tx.execute(change).rowcount)

    async def end_session(self, session_id: str, *, records: Sequence[AuditRecord] = ()) -> bool:
        """End one; of one that is gone nothing is recorded."""

        def body(tx: sa.Connection) -> bool:
            if tx.execute(sa.delete(console_sessions).where(_s.id == session_id)).rowcount != 1:
                return False
            add_records(tx, records)
            return True

        return await self._database.write(body)

    async def purge(self, *, now: float) -> int:
        """Take links and sessions away that have expired."""

        def body(tx: sa.Connection) -> int:
            links = tx.execute(sa.delete(sign_in_links).where(_l.expires_at <= now)).rowcount
            return links + tx.execute(sa.delete(console_sessions).where(_s.expires_at <= now)).rowcount

        return await self._database.write(body)

    async def _person(self, query: sa.Select[Any]) -> Person | None:
        row = await self._database.read(lambda tx: tx.execute(query).one_or_none())
        return None if row is None else _person_in(row)


@contextmanager
def _one_of_a_subject() -> Iterator[None]:
    """The index holds that a subject is one person's; who was slower is told so."""
    try:
        yield
    except sa.exc.IntegrityError:
        raise RevisionConflict("another person has this subject") from None


def _columns_of(person: Person) -> dict[str, Any]:
    return {**asdict(person), "role": person.role.value}


def _person_in(row: Any) -> Person:
    return Person(**{**row._mapping, "role": Role(row.role)})
