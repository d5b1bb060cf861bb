"""What no write stands for, written down once by recurring jobs: what will end, what ended by time, what goes wrong.

Rule 1: each is marked in the transaction that records it, so that it is said once, by whichever process comes first.
Rule 2: only what is read from the store is judged: a process's own view of a provider is nobody else's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, State
from keyturn.core.connector import Connector
from keyturn.core.errors import NotFound, RowUnreadable
from keyturn.core.events.health import WINDOW_S
from keyturn.core.explain import expires_soon, retirement_at
from keyturn.core.renewal.attention import fixed_end, ways_of
from keyturn.core.renewal.window import EXPIRES_SOON_S
from keyturn.engine.actor import SCHEDULER
from keyturn.engine.audit.connection_record import connection_record
from keyturn.engine.audit.verify import Verdict, VerifyAudit
from keyturn.engine.jobs.job_kind import Progress
from keyturn.engine.jobs.schedule import Recurring
from keyturn.engine.published import PublishedConnectors
from keyturn.ports.clock import Clock
from keyturn.ports.jobs import Job
from keyturn.ports.store import ConnectionFilter, ConnectionStore
from keyturn.ports.webhooks.events import EventStore

PAGE: Final = 200
LOOK_BACK_S: Final = 86_400.0  # for sessions that ended while nobody looked
RECURRING: Final = (
    Recurring("event.watch", 300.0),
    Recurring("connection.watch", 3600.0),
    Recurring("audit.verify", 86_400.0),
)
_AGAIN: Final = (60.0, 600.0)


@dataclass(frozen=True, slots=True)
class WatchExpiry:
    """Connections that end within 72 hours and can't renew themselves; each end once.

    An end is of the token, of a refresh token that no renewal prolongs, or of this way of connecting (`retires`). A row
    that can't be read is set aside, so that it is counted and told: nobody else may come by it for long.
    """

    connections: ConnectionStore
    published: PublishedConnectors
    events: EventStore
    clock: Clock
    name: str = "connection.watch"
    delays_s: tuple[float, ...] = _AGAIN

    async def run(self, job: Job, progress: Progress) -> None:
        """Look at all of them, a page at a time."""
        cursor: str | None = job.cursor.get("page")
        living = ConnectionFilter(not_ended=True)
        while True:
            page = await self.connections.list(living, cursor=cursor, limit=PAGE, project=job.project)
            said = [await self._say(each) for each in page.items]
            cursor = page.next_cursor
            await progress.step(cursor={"page": cursor}, done=sum(said))
            if cursor is None:
                return

    async def _say(self, connection: Connection) -> bool:
        if connection.state is State.UNREADABLE:
            why, project = RowUnreadable.code, connection.project
            await self.connections.park(connection.id, why, at=self.clock.now(), project=project)
            return False
        if connection.shown_state != State.ACTIVE.value:
            return False
        try:
            connector = await self.published.version(
                connection.connector, connection.connector_version, project=connection.project
            )
        except NotFound:
            connector = None
        now = self.clock.now()
        found = _end_of(connection, connector, now)
        if found is None:
            return False
        ends_at, what = found
        record = connection_record(
            connection,
            now,
            "connection.expiring",
            SCHEDULER,
            facts={"generation": connection.generation, "expires_at": ends_at},
        )
        return await self.events.say_once(what, at=now, records=[record])


def _end_of(connection: Connection, connector: Connector | None, now: float) -> tuple[float | None, str] | None:
    """Which end comes within 72 hours (Unix seconds), and the name by which it is said once."""
    if (last := fixed_end(connection, ways_of(connector), now)) is not None:
        return last, f"expiring {connection.id} at {last:.0f}"
    if expires_soon(connection, connector, now):
        return connection.expires_at, f"expiring {connection.id} {connection.generation}"
    retires_at = None if connector is None else retirement_at(connector)
    if retires_at is not None and now < retires_at <= now + EXPIRES_SOON_S:
        return retires_at, f"expiring {connection.id} retires {retires_at:.0f}"
    return None


@dataclass(frozen=True, slots=True)
class WatchEvents:
    """Connectors whose provider fails or works again, and connect sessions that ended by time."""

    events: EventStore
    clock: Clock
    name: str = "event.watch"
    delays_s: tuple[float, ...] = _AGAIN

    async def run(self, job: Job, progress: Progress) -> None:
        """Look at both."""
        await progress.step(done=await self._connectors() + await self._sessions())

    async def _connectors(self) -> int:
        now, said = self.clock.now(), 0
        for (project, connector), tally in (await self.events.tallies(since=now - WINDOW_S)).items():
            what = f"degraded {project} {connector}"
            facts = {"worked": tally.worked, "failed": tally.failed}
            if tally.degraded:
                record = _about(now, "connector.degraded", connector, project, facts, tally.code or "ok")
                said += await self.events.say_once(what, at=now, records=[record])
            elif tally.well:
                record = _about(now, "connector.recovered", connector, project, facts)
                said += await self.events.unsay(what, records=[record])
        return said

    async def _sessions(self) -> int:
        now, said = self.clock.now(), 0
        for session in await self.events.lapsed(after=now - LOOK_BACK_S, until=now):
            record = AuditRecord(
                now,
                "session.expired",
                SCHEDULER.name,
                connector=session.connector,
                connection=session.reconnects,
                owner=session.owner,
                facts={"session": session.id},
                project=session.project,
            )
            said += await self.events.say_once(f"expired {session.id}", at=now, records=[record])
        return said


@dataclass(frozen=True, slots=True)
class VerifyDaily:
    """The audit log, verified once a day; each fault is said once."""

    verify: VerifyAudit
    events: EventStore
    clock: Clock
    name: str = "audit.verify"
    delays_s: tuple[float, ...] = _AGAIN

    async def run(self, job: Job, progress: Progress) -> None:
        """Verify it."""
        verdict = await self.verify(project=job.project)
        report: dict[str, Any] = {"ok": verdict.ok, "entries": verdict.entries}
        if verdict.ok:
            await progress.step(report=report)
            return
        what, seq = _fault_of(verdict)
        now = self.clock.now()
        record = AuditRecord(
            now, "audit.verification_failed", SCHEDULER.name, facts={"what": what, "seq": seq}, project=job.project
        )
        said = await self.events.say_once(f"audit {what} {seq}", at=now, records=[record])
        await progress.step(done=int(said), report={**report, "what": what, "seq": seq})


def _fault_of(verdict: Verdict) -> tuple[str, int | None]:
    """The first thing that is wrong, and the record where it is, if it is at one."""
    fault = verdict.first_bad or verdict.routine.fault or verdict.anchors.fault
    if fault is not None:
        return fault.what, fault.seq
    if verdict.generations.older:
        return "older_rows", None
    return ("missing_rows" if verdict.generations.missing else "strangers"), None


def _about(
    at: float, action: str, connector: str, project: str, facts: dict[str, int], outcome: str = "ok"
) -> AuditRecord:
    return AuditRecord(at, action, SCHEDULER.name, outcome=outcome, connector=connector, facts=facts, project=project)
