"""The console's read models over what the other fakes hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from keyturn.core.audit.kinds import RecordKind, is_of
from keyturn.core.audit.timeline import TimelineRow, folded, hour_is_of
from keyturn.core.connection import Connection, ConnectionSecrets, State
from keyturn.core.observing.call_hour import CallHour
from keyturn.ports.overview import (
    ANY_SESSION,
    MENDS,
    SENDS,
    TROUBLED,
    TROUBLES,
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
from keyturn.ports.webhooks.endpoints import Delivery
from tests.fakes.connections import matches
from tests.fakes.cursors import page_of
from tests.fakes.database import FakeDatabase
from tests.fakes.records import FakeSessionStore

HOUR_S = 3600.0


class FakeOverview:
    """Promises: `tests/contracts/overview_contract.py`."""

    def __init__(
        self,
        database: FakeDatabase,
        rows: Mapping[str, tuple[Connection, ConnectionSecrets]],
        sessions: FakeSessionStore,
        calls: Mapping[tuple[str, int], tuple[int, int]],
        deliveries: Mapping[str, Delivery],
    ) -> None:
        self._database = database
        self._rows = rows
        self._sessions = sessions
        self._calls = calls
        self._deliveries = deliveries

    async def standing(self, now: float, *, project: str = "default") -> Standing:
        """Count all connections."""
        await self._database.read()
        every = self._all(project)
        due = [(each.renews_at, each.id) for each in every if each.renews_at is not None and not each.ended]
        late = sorted(each for each in due if each[0] < now - 60.0)
        return Standing(
            connections=Counter((each.connector, each.shown_state) for each in every),
            due_soon=sum(at < now + HOUR_S for at, _ in due),
            overdue=len(late),
            oldest=(late[0][1], late[0][0]) if late else None,
            called=bool(self._calls) or any(each.last_used_at is not None for each in every),
        )

    async def states(self, which: ConnectionFilter, *, project: str = "default") -> Mapping[str, int]:
        """Count by state."""
        await self._database.read()
        return Counter(each.shown_state for each in self._all(project) if matches(which, each))

    async def errors(self, which: ConnectionFilter, *, project: str = "default") -> Mapping[str, int]:
        """Count by code."""
        await self._database.read()
        codes = ((each, each.reason or each.last_error) for each in self._all(project))
        return Counter(code for each, code in codes if code is not None and not each.ended and matches(which, each))

    async def renewals(self, since: float, until: float, step_s: float, *, project: str = "default") -> Sequence[Tally]:
        """Count records by step."""
        await self._database.read()
        counted = Counter(
            (int((each.at - since) / step_s), each.connector or "", each.action, each.outcome)
            for each in self._database.records
            if each.project == project and since <= each.at < until and each.action in SENDS
            and (each.action != "login.answered" or "generation" in each.facts)
        )  # fmt: skip
        return tuple(Tally(since + key[0] * step_s, *key[1:], count) for key, count in sorted(counted.items()))

    async def recorded_since(self, *, project: str = "default") -> float | None:
        """Find the oldest."""
        await self._database.read()
        times = [each.at for each in self._database.records if each.project == project and each.action in SENDS]
        return min(times, default=None)

    async def expiries(self, now: float, until: float, *, project: str = "default") -> Sequence[Expiry]:
        """Count what ends by the hour."""
        await self._database.read()
        counted: Counter[int] = Counter()
        few: Counter[int] = Counter()
        for each in self._all(project):
            if not each.ended and each.expires_at is not None and now <= each.expires_at < until:
                hour = int((each.expires_at - now) / HOUR_S)
                counted[hour] += 1
                few[hour] += _alone(each)
        return tuple(Expiry(now + hour * HOUR_S, count, few[hour]) for hour, count in sorted(counted.items()))

    async def needs(self, *, project: str = "default") -> Sequence[Need]:
        """Group what needs the person."""
        await self._database.read()
        found: dict[tuple[str, str], list[float]] = {}
        for each in self._all(project):
            if each.shown_state == State.NEEDS_RECONNECT:
                found.setdefault((each.reason or "", each.connector), []).append(each.state_since or each.updated_at)
        needs = [Need(reason, connector, len(at), min(at)) for (reason, connector), at in found.items()]
        return tuple(sorted(needs, key=lambda each: (-each.count, each.reason, each.connector)))

    async def endings(self, now: float, until: float, *, project: str = "default") -> Sequence[Ending]:
        """Group what ends without the person."""
        await self._database.read()
        found: dict[str, list[float]] = {}
        for each in self._all(project):
            ends = each.expires_at
            if each.state is State.ACTIVE and _alone(each) and ends is not None and now <= ends < until:
                found.setdefault(each.connector, []).append(ends)
        endings = [Ending(connector, len(at), min(at)) for connector, at in found.items()]
        return tuple(sorted(endings, key=lambda each: (each.first, each.connector)))

    async def troubles(self, since: float, *, project: str = "default") -> Sequence[Trouble]:
        """Group troubles of set-ups."""
        await self._database.read()
        found: dict[tuple[str, str], list[float]] = {}
        for each in self._database.records:
            if (
                each.project == project and each.at >= since and each.connector is not None
                and each.action in TROUBLED and each.outcome in TROUBLES
            ):  # fmt: skip
                found.setdefault((each.connector, each.outcome), []).append(each.at)
        return tuple(Trouble(*key, len(at), min(at), max(at)) for key, at in sorted(found.items()))

    async def mended(
        self, connectors: Collection[str], since: float, *, project: str = "default"
    ) -> Mapping[tuple[str, str], float]:
        """When what may have mended them was recorded last."""
        await self._database.read()
        found: dict[tuple[str, str], float] = {}
        for each in self._database.records:
            if each.project == project and each.connector in connectors and each.action in MENDS and each.at >= since:
                key = (each.connector or "", each.action)
                found[key] = max(each.at, found.get(key, since))
        return found

    async def backlog(self, *, project: str = "default") -> Backlog:
        """Deliveries that wait."""
        await self._database.read()
        rows = self._deliveries.values()
        waiting = [each.created_at for each in rows if each.project == project and each.state == "pending"]
        return Backlog(len(waiting), min(waiting, default=None))

    async def calls(self, connections: Collection[str], since: float) -> Mapping[str, Sequence[CallHour]]:
        """Calls of these connections by the hour."""
        await self._database.read()
        found = {each: [hour for hour in self._hours(each) if hour.begins_at >= since][::-1] for each in connections}
        return {each: hours for each, hours in found.items() if hours}

    async def timeline(
        self, connection_id: str, *, kind: RecordKind | None = None, cursor: str | None, limit: int,
        project: str = "default",
    ) -> tuple[Sequence[TimelineRow], str | None]:  # fmt: skip
        """Records and hours of calls."""
        await self._database.read()
        records = [
            (seq, each)
            for seq, each in enumerate(self._database.records, start=1)
            if (each.project, each.connection) == (project, connection_id) and is_of(kind, each)
        ]
        hours = [each for each in self._hours(connection_id) if hour_is_of(kind, each)]
        rows = folded(records[::-1], hours)
        return page_of([(f"h{r.begins_at}" if isinstance(r, CallHour) else f"r{r[0]}", r) for r in rows], cursor, limit)

    def _hours(self, connection_id: str) -> list[CallHour]:
        """Newest first."""
        found = [
            CallHour(begins_at, *counted) for (name, begins_at), counted in self._calls.items() if name == connection_id
        ]
        return sorted(found, key=lambda each: -each.begins_at)

    async def open_sessions(
        self, now: float, *, which: SessionFilter = ANY_SESSION, cursor: str | None, limit: int,
        project: str = "default",
    ) -> tuple[Sequence[ConnectSession], str | None]:  # fmt: skip
        """List those that wait."""
        await self._database.read()
        waiting = [
            each
            for each in self._sessions.rows.values()
            if each.project == project
            and each.state in ("open", "claimed")
            and each.expires_at > now
            and all(getattr(which, name) in (None, getattr(each, name)) for name in ("connector", "owner", "state"))
        ]
        waiting.sort(key=lambda each: (each.created_at, each.id), reverse=True)
        return page_of([(each.id, each) for each in waiting], cursor, limit)

    def _all(self, project: str) -> list[Connection]:
        return [each for each, _ in self._rows.values() if each.project == project]


def _alone(connection: Connection) -> bool:
    password = connection.password_kept_at is not None and not connection.password_rejected
    return not connection.refreshable and not password
