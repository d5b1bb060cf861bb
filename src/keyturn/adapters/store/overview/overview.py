"""Counts and groups over connections, sessions and the audit log, each from an index of its own.

Rule: a condition of a partial index stands in its query word for word; SQLite uses the index only then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from keyturn.adapters.store.chained.routine import in_project, within
from keyturn.adapters.store.database.audit_tables import audit_routine
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.observing_tables import connection_calls
from keyturn.adapters.store.database.overview_indexes import (
    ENDING,
    FAILING,
    LOST,
    MENDED,
    SENT,
    TOLD,
    TROUBLE,
    UNDELIVERED,
    WAITING,
)
from keyturn.adapters.store.database.schema import NOT_ENDED, audit, connections, plain, sessions
from keyturn.adapters.store.database.webhook_tables import webhook_deliveries
from keyturn.adapters.store.overview.timeline import TimelinePage
from keyturn.adapters.store.rows.connection_conditions import ALONE, SHOWN, conditions_of
from keyturn.adapters.store.rows.cursors import cursor_of, position_in
from keyturn.adapters.store.sessions import session_in
from keyturn.core.audit.kinds import RecordKind
from keyturn.core.audit.routine import ACTIONS, DAY_S, RoutineKind
from keyturn.core.audit.timeline import TimelineRow
from keyturn.core.observing.call_hour import CallHour
from keyturn.core.renewal.attention import LATE_S
from keyturn.ports.overview import (
    ANY_SESSION,
    SOON_S,
    TROUBLED,
    Backlog,
    Ending,
    Expiry,
    Need,
    SessionFilter,
    Standing,
    Tally,
    Trouble,
)
from keyturn.ports.store import ConnectionFilter, ConnectSession

HOUR_S: Final = 3600.0

_c = connections.c
_s = sessions.c
# A person's login is none of the renewals; only these name the generation that they follow.
_RENEWAL: Final = sa.or_(audit.c.action != "login.answered", sa.func.instr(audit.c.facts, '"generation"') > 0)
# Of a record that tells a day: when that began, and how many there were.
_DAY: Final = sa.cast(sa.func.strftime("%s", sa.func.json_extract(audit.c.facts, "$.day")), sa.Float)
_COUNT: Final = sa.func.json_extract(audit.c.facts, "$.count")


class SqlOverview:
    """Promises: the port's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def standing(self, now: float, *, project: str = "default") -> Standing:
        """How all connections stand."""
        return await self._database.read(lambda tx: _standing(tx, now, project))

    async def states(self, which: ConnectionFilter, *, project: str = "default") -> Mapping[str, int]:
        """How many of these have which state."""
        query = sa.select(SHOWN, sa.func.count()).where(_c.project == project, *conditions_of(which)).group_by(SHOWN)
        rows = await self._rows(query)
        return dict(rows)

    async def errors(self, which: ConnectionFilter, *, project: str = "default") -> Mapping[str, int]:
        """How many of these stand with which code."""
        code = sa.func.coalesce(_c.reason, _c.last_error)
        wrong = sa.select(code, sa.func.count()).where(sa.text(FAILING), sa.text(NOT_ENDED), _c.project == project)
        rows = await self._rows(wrong.where(*conditions_of(which)).group_by(code))
        return dict(rows)

    async def renewals(self, since: float, until: float, step_s: float, *, project: str = "default") -> Sequence[Tally]:
        """The records of renewals, counted by step."""
        step = sa.cast((audit.c.at - since) / step_s, sa.Integer)  # never negative, so that this cuts off
        named = sa.func.coalesce(audit.c.connector, "")
        query = (
            sa.select(step, named, audit.c.action, audit.c.outcome, sa.func.count())
            .where(audit.c.project == project, audit.c.at >= since, audit.c.at < until, sa.text(SENT), _RENEWAL)
            .group_by(step, named, audit.c.action, audit.c.outcome)
            .order_by(step, named, audit.c.action, audit.c.outcome)
        )
        r = audit_routine.c
        at = sa.cast((r.at - since) / step_s, sa.Integer)
        renewed, count = sa.literal(ACTIONS[RoutineKind.RENEWED]), sa.func.count()
        well = (
            sa.select(at, sa.func.coalesce(_c.connector, ""), renewed, sa.literal("ok"), count)
            .select_from(audit_routine.join(connections, r.connection == _c.id))
            .where(in_project(project), r.kind == RoutineKind.RENEWED.value)
            .group_by(at, sa.func.coalesce(_c.connector, ""))
        )
        midday = _DAY + DAY_S / 2  # what is told by the day is counted as if it had been then
        told_at = sa.cast((midday - since) / step_s, sa.Integer)
        told = (
            sa.select(told_at, named, renewed, sa.literal("ok"), sa.func.sum(_COUNT))
            .where(audit.c.project == project, sa.text(TOLD), audit.c.at >= since, midday >= since, midday < until)
            .group_by(told_at, named)
        )
        counted: dict[tuple[int, str, str, str], int] = {}

        def body(tx: sa.Connection) -> list[Any]:
            return [*tx.execute(query), *tx.execute(told), *tx.execute(well.where(*within(tx, since, until)))]

        for n, connector, action, outcome, number in await self._database.read_together(body):
            counted[n, connector, action, outcome] = counted.get((n, connector, action, outcome), 0) + number
        return tuple(
            Tally(since + n * step_s, connector, action, outcome, number)
            for (n, connector, action, outcome), number in sorted(counted.items())
        )

    async def recorded_since(self, *, project: str = "default") -> float | None:
        """When the oldest of them was written."""
        query = sa.select(sa.func.min(audit.c.at)).where(audit.c.project == project, sa.text(SENT))
        r = audit_routine.c  # numbered as they were written: the first one is the oldest, and no other row is read
        others = (
            sa.select(r.at).select_from(audit_routine.join(connections, r.connection == _c.id))
            .where(in_project(project), r.kind == RoutineKind.RENEWED.value).order_by(r.seq).limit(1)
        )  # fmt: skip
        told = sa.select(_DAY).where(audit.c.project == project, sa.text(TOLD)).order_by(audit.c.at).limit(1)
        found = [*await self._rows(query), *await self._rows(others), *await self._rows(told)]
        return min((at for (at,) in found if at is not None), default=None)

    async def expiries(self, now: float, until: float, *, project: str = "default") -> Sequence[Expiry]:
        """Tokens that end, by the hour."""
        hour = sa.cast((_c.expires_at - now) / HOUR_S, sa.Integer)
        alone = sa.func.sum(sa.case((ALONE, 1), else_=0))
        query = (
            sa.select(hour, sa.func.count(), alone)
            .where(_c.project == project, sa.text(ENDING), _c.expires_at >= now, _c.expires_at < until)
            .group_by(hour)
            .order_by(hour)
        )
        return tuple(Expiry(now + n * HOUR_S, count, few) for n, count, few in await self._rows(query))

    async def needs(self, *, project: str = "default") -> Sequence[Need]:
        """Connections that need the person, by reason."""
        reason, count = sa.func.coalesce(_c.reason, ""), sa.func.count()
        query = (
            sa.select(reason, _c.connector, count, sa.func.min(sa.func.coalesce(_c.state_since, _c.updated_at)))
            .where(_c.project == project, sa.text(LOST), sa.not_(_c.paused), sa.not_(_c.unconfirmed))
            .group_by(reason, _c.connector)
            .order_by(count.desc(), reason, _c.connector)
        )
        return tuple(Need(*row) for row in await self._rows(query))

    async def endings(self, now: float, until: float, *, project: str = "default") -> Sequence[Ending]:
        """Connections that end without the person."""
        first = sa.func.min(_c.expires_at)
        query = (
            sa.select(_c.connector, sa.func.count(), first)
            .where(_c.project == project, sa.text(ENDING), _c.expires_at >= now, _c.expires_at < until)
            .where(_c.state == "active", ALONE)
            .group_by(_c.connector)
            .order_by(first, _c.connector)
        )
        return tuple(Ending(*row) for row in await self._rows(query))

    async def troubles(self, since: float, *, project: str = "default") -> Sequence[Trouble]:
        """Troubles of set-ups, by connector and code."""
        a = audit.c
        query = (
            sa.select(a.connector, a.outcome, sa.func.count(), sa.func.min(a.at), sa.func.max(a.at))
            .where(a.project == project, a.at >= since, sa.text(TROUBLE), a.action.in_(TROUBLED))
            .where(a.connector.is_not(None))
            .group_by(a.connector, a.outcome)
            .order_by(a.connector, a.outcome)
        )
        return tuple(Trouble(*row) for row in await self._rows(query))

    async def mended(
        self, connectors: Collection[str], since: float, *, project: str = "default"
    ) -> Mapping[tuple[str, str], float]:
        """When what may have mended them was recorded last."""
        a = audit.c
        query = (
            sa.select(a.connector, a.action, sa.func.max(a.at))
            .where(a.project == project, a.connector.in_(connectors), sa.text(MENDED), a.at >= since)
            .group_by(a.connector, a.action)
        )
        return {(connector, action): at for connector, action, at in await self._rows(query)}

    async def backlog(self, *, project: str = "default") -> Backlog:
        """Deliveries that wait."""
        c = webhook_deliveries.c
        query = sa.select(sa.func.count(), sa.func.min(c.created_at))
        rows = await self._rows(query.where(c.project == project, sa.text(UNDELIVERED)))
        return Backlog(*rows[0])

    async def calls(self, connections: Collection[str], since: float) -> Mapping[str, Sequence[CallHour]]:
        """Calls of these connections by the hour."""
        c = connection_calls.c
        query = (
            sa.select(c.connection, c.begins_at, c.calls, c.failed)
            .where(c.connection.in_(connections), c.begins_at >= since)
            .order_by(c.connection, c.begins_at)
        )
        found: dict[str, list[CallHour]] = {}
        for connection, *counted in await self._rows(query):
            found.setdefault(connection, []).append(CallHour(*counted))
        return found

    async def timeline(
        self, connection_id: str, *, kind: RecordKind | None = None, cursor: str | None, limit: int,
        project: str = "default",
    ) -> tuple[Sequence[TimelineRow], str | None]:  # fmt: skip
        """Records and hours of calls."""
        asked = TimelinePage(connection_id, project, kind, cursor, limit)
        return await self._database.read(asked.read)

    async def open_sessions(
        self, now: float, *, which: SessionFilter = ANY_SESSION, cursor: str | None, limit: int,
        project: str = "default",
    ) -> tuple[Sequence[ConnectSession], str | None]:  # fmt: skip
        """Sessions that wait for the person."""
        query = sa.select(sessions).where(_s.project == project, sa.text(WAITING), _s.expires_at > now)
        for name in ("connector", "owner", "state"):
            if (wanted := getattr(which, name)) is not None:
                query = query.where(_s[name] == plain(wanted))
        if cursor is not None:
            position = position_in(cursor, "sessions", float, str)
            query = query.where(sa.tuple_(_s.created_at, _s.id) < sa.tuple_(*position))
        query = query.order_by(_s.created_at.desc(), _s.id.desc()).limit(limit + 1)
        rows = await self._rows(query)
        items = tuple(session_in(row) for row in rows[:limit])
        more = len(rows) > limit
        return items, cursor_of("sessions", float(items[-1].created_at), items[-1].id) if more else None

    async def _rows(self, query: sa.Executable) -> Sequence[Any]:
        """The rows; what columns they have, the query says."""
        return await self._database.read(lambda tx: tx.execute(query).all())


def _standing(tx: sa.Connection, now: float, project: str) -> Standing:
    by_state = (
        sa.select(_c.connector, SHOWN, sa.func.count()).where(_c.project == project).group_by(_c.connector, SHOWN)
    )
    due = sa.select(sa.func.count()).where(_c.renews_at.is_not(None), sa.text(NOT_ENDED), _c.project == project)
    oldest = (
        sa.select(_c.id, _c.renews_at)
        .where(_c.renews_at < now - LATE_S, sa.text(NOT_ENDED), _c.project == project)
        .order_by(_c.renews_at, _c.id)
        .limit(1)
    )
    first = tx.execute(oldest).one_or_none()
    return Standing(
        connections={(connector, state): number for connector, state, number in tx.execute(by_state)},
        due_soon=tx.execute(due.where(_c.renews_at < now + SOON_S)).scalar_one(),
        overdue=tx.execute(due.where(_c.renews_at < now - LATE_S)).scalar_one(),
        oldest=None if first is None else (first.id, first.renews_at),
        called=_called(tx, project),
    )


def _called(tx: sa.Connection, project: str) -> bool:
    """Whether a call was ever made. Before the first, all connections are looked through: then they are few."""
    counted = sa.select(connection_calls.c.connection).limit(1)
    used = sa.select(_c.id).where(_c.project == project, _c.last_used_at.is_not(None)).limit(1)
    return tx.execute(counted).first() is not None or tx.execute(used).first() is not None
