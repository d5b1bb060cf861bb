"""An operator stops a connector's logins: no password goes out for it, a person's or a kept one.

Rule 1: it is read before each login, so that it holds in every process from its commit on.
Rule 2: refreshes, calls and revocations go on: they need no password.

Source: the threat model, L1 ("for incidents").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import LoginsStopped, NotFound
from keyturn.engine.actor import Actor
from keyturn.ports.access.abuse import LoginStops
from keyturn.ports.clock import Clock
from keyturn.ports.store import ConnectorStore

STOPPED: Final = "connector.logins_stopped"
STARTED: Final = "connector.logins_started"


@dataclass(frozen=True, slots=True)
class StopLogins:
    """The use case and what it needs."""

    stops: LoginStops
    connectors: ConnectorStore
    clock: Clock

    async def stop(self, connector_id: str, actor: Actor, *, project: str = "default") -> float:
        """Stop them; returns since when, Unix seconds. Stopping twice is fine. NotFound: no such connector."""
        await self._must_exist(connector_id, project)
        record = self._record(STOPPED, connector_id, actor, project)
        return await self.stops.stop(connector_id, at=record.at, by=actor.name, records=[record], project=project)

    async def start(self, connector_id: str, actor: Actor, *, project: str = "default") -> None:
        """Let them be sent again; fine where they are. NotFound: no such connector."""
        await self._must_exist(connector_id, project)
        record = self._record(STARTED, connector_id, actor, project)
        await self.stops.start(connector_id, records=[record], project=project)

    async def stopped_since(self, connector_id: str, *, project: str = "default") -> float | None:
        """Since when they are stopped, Unix seconds; None where they are not."""
        return await self.stops.stopped_since(connector_id, project=project)

    async def stopped(self, *, project: str = "default") -> Mapping[str, float]:
        """Every connector whose logins are stopped → since when, Unix seconds."""
        return await self.stops.all(project=project)

    async def refuse(self, connector_id: str, *, project: str = "default") -> None:
        """Raise LoginsStopped where they are."""
        if await self.stops.stopped_since(connector_id, project=project) is not None:
            raise LoginsStopped

    async def _must_exist(self, connector_id: str, project: str) -> None:
        if await self.connectors.draft(connector_id, project=project) is None:
            raise NotFound("There is no such connector.")

    def _record(self, action: str, connector_id: str, actor: Actor, project: str) -> AuditRecord:
        return AuditRecord(
            self.clock.now(),
            action,
            actor.name,
            connector=connector_id,
            request_id=actor.request_id,
            project=project,
        )
