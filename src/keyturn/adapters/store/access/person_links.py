"""Links by which a person sees and ends one connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import sqlalchemy as sa

from keyturn.adapters.store.audit import add_records
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.people_tables import person_links
from keyturn.core.audit_record import AuditRecord
from keyturn.ports.access.person_links import PersonLink

_c = person_links.c


class SqlPersonLinkStore:
    """Promises: the port's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, link: PersonLink, *, records: Sequence[AuditRecord] = ()) -> bool:
        """Add one, unless one of this digest is there."""

        def body(tx: sa.Connection) -> bool:
            if tx.execute(sa.select(_c.id).where(_c.digest == link.digest)).first() is not None:
                return False
            tx.execute(sa.insert(person_links), asdict(link))
            add_records(tx, records)
            return True

        return await self._database.write(body)

    async def find(self, digest: str) -> PersonLink | None:
        """Read one by its digest."""
        query = sa.select(person_links).where(_c.digest == digest)
        row = await self._database.read(lambda tx: tx.execute(query).one_or_none())
        return None if row is None else PersonLink(**row._mapping)

    async def remove_of(
        self, connection_id: str, *, records: Sequence[AuditRecord] = (), project: str = "default"
    ) -> int:
        """Take all links of a connection away."""
        gone = sa.delete(person_links).where(_c.connection == connection_id, _c.project == project)

        def body(tx: sa.Connection) -> int:
            number = tx.execute(gone).rowcount
            add_records(tx, records)
            return number

        return await self._database.write(body)

    async def purge(self, *, expired_before: float) -> int:
        """Take away those that ended earlier."""
        old = sa.delete(person_links).where(_c.expires_at < expired_before)
        return await self._database.write(lambda tx: tx.execute(old).rowcount)
