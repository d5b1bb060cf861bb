"""The audit log: rows that are only ever added, numbered in the order of their commits."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

import sqlalchemy as sa

from keyturn.adapters.store.chained import routine
from keyturn.adapters.store.chained.audit_row import ROWS, in_project, record_in
from keyturn.adapters.store.chained.newest_first import newest_first
from keyturn.adapters.store.database.audit_tables import READS, audit_routine
from keyturn.adapters.store.database.engine import Database, flush, left_to_end
from keyturn.adapters.store.database.schema import audit, plain
from keyturn.adapters.store.rows.cursors import cursor_of, position_in
from keyturn.core.audit.chain import canonical_facts
from keyturn.core.audit.kinds import CALLS, OF_CONNECTIONS, RENEWALS, WELL, RecordKind
from keyturn.core.audit_record import AuditRecord


def add_records(tx: sa.Connection, records: Sequence[AuditRecord]) -> None:
    """Add the records of a write to its commit: they are chained at its end, with those of all its writes.

    Facts that can't be written are refused here: at the end they would fail for all of the commit.
    """
    for each in records:
        canonical_facts(each.facts)
    if records:
        left_to_end(tx, records)


class SqlAuditLog:
    """Promises: the port's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._end: tuple[int, int] = (-1, -1)  # the number after which there was nothing, and the file's version then

    async def append(self, records: Sequence[AuditRecord]) -> None:
        """Add records that belong to no other write."""
        await self._database.write(lambda tx: add_records(tx, records))

    async def append_read(self, record: AuditRecord, *, since: float) -> bool:
        """Add a record of a read, unless its actor has one."""
        of_actor = (audit.c.project == plain(record.project), audit.c.actor == plain(record.actor))
        query = sa.select(audit.c.seq).where(sa.text(READS), *of_actor, audit.c.at >= since).limit(1)

        def body(tx: sa.Connection) -> bool:
            flush(tx)  # another of its reads may be in this very commit
            if tx.execute(query).first() is not None:
                return False
            add_records(tx, [record])
            return True

        return await self._database.write(body)

    async def list(
        self,
        *,
        connection: str | None = None,
        kind: RecordKind | None = None,
        cursor: str | None = None,
        limit: int = 50,
        project: str = "default",
    ) -> tuple[Sequence[tuple[int, AuditRecord]], str | None]:
        """List, newest first."""
        query = ROWS.where(in_project(project, of_one=connection is not None), *of_kind(kind))
        others = routine.ROWS.where(routine.in_project(project), *routine.of_kind(kind))
        if connection is not None:
            query = query.where(audit.c.connection == connection)
            others = others.where(audit_routine.c.connection == connection)
        if cursor is not None:
            before = position_in(cursor, "audit", int)[0]
            query, others = query.where(audit.c.seq < before), others.where(audit_routine.c.seq < before)
        found = await self._database.read_together(lambda tx: newest_first(tx, query, others, limit + 1))
        shown = found[:limit]
        return tuple(shown), cursor_of("audit", shown[-1][0]) if len(found) > limit else None

    async def newest(self) -> int:
        """The newest record's number."""
        newest = [
            sa.select(sa.func.coalesce(sa.func.max(column), 0)).scalar_subquery()
            for column in (audit.c.seq, audit_routine.c.seq)
        ]
        return int(await self._database.read(lambda tx: tx.execute(sa.select(sa.func.max(*newest))).scalar_one()))

    async def since(self, seq: int, *, limit: int) -> Sequence[tuple[int, AuditRecord]]:
        """The records after a number; where nobody wrote since there were none, nothing is asked but that."""
        version = self._database.version()
        if version == self._end[1] and seq >= self._end[0]:
            return ()
        query = ROWS.where(audit.c.seq > seq).order_by(audit.c.seq).limit(limit)
        others = routine.ROWS.where(audit_routine.c.seq > seq).order_by(audit_routine.c.seq).limit(limit)

        def body(tx: sa.Connection) -> list[tuple[int, AuditRecord]]:
            found = [(row.seq, record_in(row, row.owner)) for row in tx.execute(query)]
            found += [(row.seq, routine.record_in(row)) for row in tx.execute(others)]
            return sorted(found, key=itemgetter(0))[:limit]

        found = tuple(await self._database.read_together(body))
        if not found and version is not None:
            self._end = (seq, version)
        return found


def of_kind(kind: RecordKind | None) -> list[sa.ColumnElement[bool]]:
    """As `is_of`."""
    action = audit.c.action
    match kind:
        case RecordKind.RENEWALS:
            return [action.in_(sorted(RENEWALS))]
        case RecordKind.CALLS:
            return [action.in_(sorted(CALLS))]
        case RecordKind.FAILURES:
            return [audit.c.outcome.not_in(sorted(WELL))]
        case RecordKind.CHANGES:
            return [action.startswith(OF_CONNECTIONS, autoescape=True), action.not_in(sorted(RENEWALS | CALLS))]
        case _:
            return []
