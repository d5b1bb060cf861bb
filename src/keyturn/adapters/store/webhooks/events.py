"""Events, the cursor that follows the audit log, marks, and counts of sends.

Rule 1: the cursor is compared and set first; where it moved, nothing else is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from keyturn.adapters.store.audit import add_records
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.schema import sessions
from keyturn.adapters.store.database.webhook_tables import (
    connector_sends,
    event_marks,
    events,
    webhook_deliveries,
)
from keyturn.adapters.store.jobs import add_jobs
from keyturn.adapters.store.sessions import session_in
from keyturn.adapters.store.webhooks.endpoints import delivery_columns
from keyturn.core.audit_record import AuditRecord
from keyturn.core.events.event import Event
from keyturn.core.events.health import Tally
from keyturn.ports.store import ConnectSession
from keyturn.ports.webhooks.events import Follow, Sends

_c, _m, _s = events.c, event_marks.c, connector_sends.c
_CURSOR: Final = "cursor"
_FAILING: Final = "failing "
_SAID: Final = "said "
_SESSIONS_AT_ONCE: Final = 1000
_SENDS: Final = insert(connector_sends)
_COUNT: Final = _SENDS.on_conflict_do_update(
    index_elements=["project", "connector", "bucket"],
    set_={
        **{name: _s[name] + _SENDS.excluded[name] for name in ("worked", "failed", "set_up")},
        "code": sa.func.coalesce(_SENDS.excluded.code, _s.code),
    },
)


class SqlEventStore:
    """Promises: the port's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def position(self) -> int | None:
        """The cursor."""
        query = sa.select(_m.seq).where(_m.name == _CURSOR)
        found: int | None = await self._database.read(lambda tx: tx.execute(query).scalar())
        return found

    async def begin(self, seq: int) -> None:
        """Set the cursor where there is none."""
        new = insert(event_marks).values(name=_CURSOR, seq=seq).on_conflict_do_nothing()
        await self._database.write(lambda tx: tx.execute(new).rowcount)

    async def follow(self, follow: Follow, *, after: int, until: int) -> bool:
        """Move the cursor, and write what follows."""
        move = sa.update(event_marks).where(_m.name == _CURSOR, _m.seq == after).values(seq=until)

        def body(tx: sa.Connection) -> bool:
            if tx.execute(move).rowcount != 1:
                return False
            if follow.events:
                tx.execute(sa.insert(events), [asdict(each) for each in follow.events])
            if follow.deliveries:
                tx.execute(sa.insert(webhook_deliveries), [delivery_columns(each) for each in follow.deliveries])
            add_jobs(tx, follow.jobs)
            for sends, tally in follow.tallies.items():
                _count(tx, sends, tally)
            for connection in follow.failing:
                tx.execute(insert(event_marks).values(name=_FAILING + connection).on_conflict_do_nothing())
            if follow.working:
                names = [_FAILING + each for each in follow.working]
                tx.execute(sa.delete(event_marks).where(_m.name.in_(names)))
            return True

        return await self._database.write(body)

    async def failing(self, connections: Sequence[str]) -> frozenset[str]:
        """Those of these that failed last."""
        if not connections:
            return frozenset()
        query = sa.select(_m.name).where(_m.name.in_([_FAILING + each for each in connections]))
        found = await self._database.read(lambda tx: tx.execute(query).scalars().all())
        return frozenset(name.removeprefix(_FAILING) for name in found)

    async def event(self, event_id: str, *, project: str = "default") -> Event | None:
        """Read one."""
        query = sa.select(events).where(_c.id == event_id, _c.project == project)
        row = await self._database.read(lambda tx: tx.execute(query).one_or_none())
        return None if row is None else Event(**row._mapping)

    async def newest(self, *, project: str = "default") -> int:
        """The newest place."""
        query = sa.select(sa.func.coalesce(sa.func.max(_c.place), 0)).where(_c.project == project)
        return int(await self._database.read(lambda tx: tx.execute(query).scalar_one()))

    async def since(
        self, place: int, *, limit: int, types: frozenset[str] | None = None, connectors: frozenset[str] | None = None,
        owners: frozenset[str] | None = None, project: str = "default",
    ) -> Sequence[Event]:  # fmt: skip
        """Oldest first."""
        query = sa.select(events).where(_c.place > place, _c.project == project).order_by(_c.place).limit(limit)
        if types is not None:
            query = query.where(_c.type.in_(sorted(types)))
        if connectors is not None:
            query = query.where(_c.connector.in_(sorted(connectors)))
        if owners is not None:
            query = query.where(_c.owner.in_(sorted(owners)))
        return await self._events(query)

    async def of_type(
        self, event_type: str, *, connector: str | None, since: float, until: float, limit: int, project: str
    ) -> Sequence[Event]:
        """Oldest first."""
        query = sa.select(events).where(_c.project == project, _c.type == event_type, _c.at >= since, _c.at < until)
        if connector is not None:
            query = query.where(_c.connector == connector)
        return await self._events(query.order_by(_c.place).limit(limit))

    async def tallies(self, *, since: float) -> Mapping[tuple[str, str], Tally]:
        """Sends by project and connector."""
        query = sa.select(connector_sends).where(_s.bucket >= since).order_by(_s.bucket)
        rows = await self._database.read(lambda tx: tx.execute(query).all())
        found: dict[tuple[str, str], Tally] = {}
        for row in rows:
            key = (row.project, row.connector)
            found[key] = found.get(key, Tally()).plus(Tally(row.worked, row.failed, row.set_up, row.code))
        return found

    async def say_once(self, what: str, *, at: float, records: Sequence[AuditRecord]) -> bool:
        """Mark it, and write the records."""
        new = insert(event_marks).values(name=_SAID + what, at=at).on_conflict_do_nothing()
        return await self._changed(new, records)

    async def unsay(self, what: str, *, records: Sequence[AuditRecord] = ()) -> bool:
        """Take the mark away, and write the records."""
        return await self._changed(sa.delete(event_marks).where(_m.name == _SAID + what), records)

    async def lapsed(self, *, after: float, until: float) -> Sequence[ConnectSession]:
        """Sessions that ended by time in between."""
        c = sessions.c
        query = (
            sa.select(sessions)
            .where(c.expires_at > after, c.expires_at <= until, c.state.in_(("open", "claimed")))
            .order_by(c.expires_at, c.id)
            .limit(_SESSIONS_AT_ONCE)
        )
        rows = await self._database.read(lambda tx: tx.execute(query).all())
        return tuple(session_in(row) for row in rows)

    async def purge(self, *, before: float, tallies_before: float) -> int:
        """Take away what is older."""

        def body(tx: sa.Connection) -> int:
            tx.execute(sa.delete(event_marks).where(_m.at < before))
            tx.execute(sa.delete(connector_sends).where(_s.bucket < tallies_before))
            return tx.execute(sa.delete(events).where(_c.at < before)).rowcount

        return await self._database.write(body)

    async def _events(self, query: sa.Select[Any]) -> Sequence[Event]:
        rows = await self._database.read(lambda tx: tx.execute(query).all())
        return tuple(Event(**row._mapping) for row in rows)

    async def _changed(self, change: sa.Executable, records: Sequence[AuditRecord]) -> bool:
        def body(tx: sa.Connection) -> bool:
            if tx.execute(change).rowcount != 1:
                return False
            add_records(tx, records)
            return True

        return await self._database.write(body)


def _count(tx: sa.Connection, sends: Sends, tally: Tally) -> None:
    """Add to a minute's counts."""
    tx.execute(_COUNT, {**asdict(sends), **asdict(tally)})
