"""Connect sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from keyturn.adapters.store.audit import add_records
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.schema import sessions
from keyturn.adapters.store.rows.plain_columns import json_of, mapping_in
from keyturn.core.audit_record import AuditRecord
from keyturn.ports.store import ConnectSession, RevisionConflict

_c = sessions.c
_AS_THEY_ARE = tuple(column.name for column in sessions.c if column.name != "facts")


class SqlSessionStore:
    """Promises: the port's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, session: ConnectSession, *, records: Sequence[AuditRecord] = ()) -> None:
        """Add one."""
        row = _columns_of(session)

        def body(tx: sa.Connection) -> None:
            tx.execute(sa.insert(sessions), row)
            add_records(tx, records)

        await self._database.write(body)

    async def load(self, session_id: str, *, project: str = "default") -> ConnectSession | None:
        """Read one."""
        return await self._found(sa.select(sessions).where(_c.id == session_id, _c.project == project))

    async def find_link(self, link_digest: str) -> ConnectSession | None:
        """Read one by its link."""
        return await self._found(sa.select(sessions).where(_c.link_digest == link_digest))

    async def find_open_reconnect(self, connection_id: str, *, now: float) -> ConnectSession | None:
        """The newest reconnect session of this connection that nobody opened yet and that has not expired."""
        query = (
            sa.select(sessions)
            .where(_c.reconnects == connection_id, _c.state == "open", _c.expires_at > now)
            .order_by(_c.created_at.desc(), _c.id.desc())
            .limit(1)
        )
        return await self._found(query)

    async def save(self, session: ConnectSession, *, records: Sequence[AuditRecord] = ()) -> ConnectSession:
        """Write over the row that has this revision."""
        written = replace(session, revision=session.revision + 1)
        change = (
            sa.update(sessions)
            .where(_c.id == session.id, _c.project == session.project, _c.revision == session.revision)
            .values(_columns_of(written))
        )

        def body(tx: sa.Connection) -> ConnectSession:
            if tx.execute(change).rowcount != 1:
                raise RevisionConflict("the session was written by another")
            add_records(tx, records)
            return written

        return await self._database.write(body)

    async def purge(self, *, expired_before: float) -> int:
        """Take away those that ended earlier."""
        old = sa.delete(sessions).where(_c.expires_at < expired_before)
        return await self._database.write(lambda tx: tx.execute(old).rowcount)

    async def _found(self, query: sa.Select[Any]) -> ConnectSession | None:
        row = await self._database.read(lambda tx: tx.execute(query).one_or_none())
        return None if row is None else session_in(row)


def session_in(row: sa.Row[Any]) -> ConnectSession:
    """A row as a session."""
    return ConnectSession(**{name: getattr(row, name) for name in _AS_THEY_ARE}, facts=dict(mapping_in(row.facts)))


def _columns_of(session: ConnectSession) -> dict[str, Any]:
    return {name: getattr(session, name) for name in _AS_THEY_ARE} | {"facts": json_of(session.facts)}
