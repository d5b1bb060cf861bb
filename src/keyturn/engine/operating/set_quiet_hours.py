"""An operator names times in which a provider is left alone, or takes them back.

Rule: they hold from the commit on, within a second in every process; renewals that are planned already are moved by a
job.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import Finding, NotFound, ValidationFailed
from keyturn.core.renewal.quiet_hours import QuietHours
from keyturn.engine.actor import Actor
from keyturn.engine.operating.plan_anew import KIND
from keyturn.engine.quiet_hours.quiet_times import QuietTimes, zone_named
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.jobs import Job, Jobs
from keyturn.ports.operating.quiet_hours import QuietHoursStore
from keyturn.ports.store import ConnectorStore

SET: Final = "connector.quiet_hours_set"
CLEARED: Final = "connector.quiet_hours_cleared"


@dataclass(frozen=True, slots=True)
class SetQuietHours:
    """The use case and what it needs."""

    store: QuietHoursStore
    connectors: ConnectorStore
    jobs: Jobs
    times: QuietTimes
    clock: Clock
    entropy: Entropy

    async def of(self, connector_id: str, *, project: str = "default") -> QuietHours | None:
        """A connector's, as they stand now. NotFound: no such connector."""
        await self._must_exist(connector_id, project)
        return (await self.store.all()).get((project, connector_id))

    async def __call__(
        self, connector_id: str, hours: QuietHours | None, actor: Actor, *, project: str = "default"
    ) -> None:
        """Set them; None: take them back. Already so is fine.

        Raises:
            NotFound: no such connector. ValidationFailed: this machine does not know the time zone.
        """
        await self._must_exist(connector_id, project)
        if hours is not None and zone_named(hours.zone) is None:
            message = "This machine knows no such time zone. Names are those of IANA: Europe/Berlin, UTC."
            raise ValidationFailed(errors=[Finding("/zone", "invalid", message)])
        now = self.clock.now()
        record = AuditRecord(
            now,
            CLEARED if hours is None else SET,
            actor.name,
            connector=connector_id,
            request_id=actor.request_id,
            facts={} if hours is None else {"hours": hours.words()},
            project=project,
        )
        if await self.store.put(connector_id, hours, at=now, by=actor.name, records=[record], project=project):
            await self.times.look()
            await self.jobs.add(self._job(connector_id, now, project))

    def _job(self, connector_id: str, now: float, project: str) -> Job:
        return Job(
            id=self.entropy.identifier("job"),
            kind=KIND,
            created_at=now,
            run_at=now + 2.0,  # every process has read them by then
            arguments={"connector": connector_id},
            created_by="scheduler",
            project=project,
        )

    async def _must_exist(self, connector_id: str, project: str) -> None:
        if await self.connectors.draft(connector_id, project=project) is None:
            raise NotFound("There is no such connector.")
