"""Person links in memory."""

from __future__ import annotations

from collections.abc import Sequence

from keyturn.core.audit_record import AuditRecord
from keyturn.ports.access.person_links import PersonLink
from tests.fakes.database import FakeDatabase


class FakePersonLinkStore:
    """Promises: the port's."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self.rows: dict[str, PersonLink] = {}

    async def add(self, link: PersonLink, *, records: Sequence[AuditRecord] = ()) -> bool:
        """Add one, unless one of this digest is there."""
        await self._database.write("person_links.add")
        if link.digest in self.rows:
            return False
        self.rows[link.digest] = link
        self._database.log(records)
        return True

    async def find(self, digest: str) -> PersonLink | None:
        """Read one by its digest."""
        await self._database.read()
        return self.rows.get(digest)

    async def remove_of(
        self, connection_id: str, *, records: Sequence[AuditRecord] = (), project: str = "default"
    ) -> int:
        """Take all links of a connection away."""
        await self._database.write("person_links.remove_of")
        gone = [key for key, each in self.rows.items() if (each.connection, each.project) == (connection_id, project)]
        for key in gone:
            del self.rows[key]
        self._database.log(records)
        return len(gone)

    async def purge(self, *, expired_before: float) -> int:
        """Take away those that ended earlier."""
        await self._database.write("person_links.purge")
        old = [key for key, each in self.rows.items() if each.expires_at < expired_before]
        for key in old:
            del self.rows[key]
        return len(old)
