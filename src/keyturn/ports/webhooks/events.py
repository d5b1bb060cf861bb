"""Events as they follow from the audit log. Promises: `tests/contracts/event_store_contract.py`.

Rule 1: whoever moves the cursor writes, in the same transaction, all that follows from the records that it passes: of
several processes each record is worked on by one.
Rule 2: what is said once is marked, and the mark is set with the record that says it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from keyturn.core.audit_record import AuditRecord
from keyturn.core.events.event import Event
from keyturn.core.events.health import Tally
from keyturn.ports.jobs import Job
from keyturn.ports.store import ConnectSession
from keyturn.ports.webhooks.endpoints import Delivery


@dataclass(frozen=True, slots=True)
class Sends:
    """Which sends a tally counts: a connector's in the minute that begins at `bucket`, Unix seconds."""

    project: str
    connector: str
    bucket: float


@dataclass(frozen=True, slots=True)
class Follow:
    """What follows from some records.

    `jobs`: added where no job has their id. `failing`, `working`: connections that began to fail or work again.
    """

    events: Sequence[Event] = ()
    deliveries: Sequence[Delivery] = ()
    jobs: Sequence[Job] = ()
    failing: frozenset[str] = frozenset()
    working: frozenset[str] = frozenset()
    tallies: Mapping[Sends, Tally] = field(default_factory=dict)


class EventStore(Protocol):
    """The cursor along the audit log, and what was made of it."""

    async def position(self) -> int | None:
        """The number of the last record that was followed; None before the first."""
        ...

    async def begin(self, seq: int) -> None:
        """Set the cursor where there is none yet."""
        ...

    async def follow(self, follow: Follow, *, after: int, until: int) -> bool:
        """Move the cursor from `after` to `until` and write what follows; False, and nothing, where it moved."""
        ...

    async def failing(self, connections: Sequence[str]) -> frozenset[str]:
        """Those of these that failed last."""
        ...

    async def event(self, event_id: str, *, project: str = "default") -> Event | None:
        """Read one."""
        ...

    async def newest(self, *, project: str = "default") -> int:
        """The place of the newest event; 0 where there is none."""
        ...

    async def since(
        self, place: int, *, limit: int, types: frozenset[str] | None = None, connectors: frozenset[str] | None = None,
        owners: frozenset[str] | None = None, project: str = "default",
    ) -> Sequence[Event]:  # fmt: skip
        """The events after a place, oldest first. `types`, `connectors`, `owners`: of these alone."""
        ...

    async def of_type(
        self, event_type: str, *, connector: str | None, since: float, until: float, limit: int, project: str
    ) -> Sequence[Event]:
        """Those of a type (and connector) from a time on and before another, oldest first."""
        ...

    async def tallies(self, *, since: float) -> Mapping[tuple[str, str], Tally]:
        """Sends from this time on, by project and connector."""
        ...

    async def say_once(self, what: str, *, at: float, records: Sequence[AuditRecord]) -> bool:
        """Mark it and write the records; False, and nothing, where it is marked."""
        ...

    async def unsay(self, what: str, *, records: Sequence[AuditRecord] = ()) -> bool:
        """Take the mark away and write the records; False, and nothing, where there is none."""
        ...

    async def lapsed(self, *, after: float, until: float) -> Sequence[ConnectSession]:
        """Sessions, of every project, that ended by time in between and had led to nothing; a thousand at most."""
        ...

    async def purge(self, *, before: float, tallies_before: float) -> int:
        """Take older events, marks and tallies away; returns how many events."""
        ...
