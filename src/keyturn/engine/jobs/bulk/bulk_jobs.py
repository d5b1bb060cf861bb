"""Asking for bulk jobs, and for what failed in one again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import JobNotEnded, JobWithoutFailures, NotFound
from keyturn.engine.actor import Actor
from keyturn.engine.jobs.bulk.bulk_order import KIND, BulkOrder
from keyturn.engine.jobs.bulk.bulk_report import failed_ids
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.jobs import Job, Jobs


@dataclass(frozen=True, slots=True)
class BulkJobs:
    """The use cases of a bulk job's owner."""

    jobs: Jobs
    clock: Clock
    entropy: Entropy

    async def create(self, order: BulkOrder, actor: Actor, *, project: str = "default") -> Job:
        """Queue one; it begins within a second or two, in whichever process has time."""
        now = self.clock.now()
        asked = replace(order, request_id=actor.request_id)
        job = Job(
            id=self.entropy.identifier("job"),
            kind=KIND,
            created_at=now,
            run_at=now,
            arguments=asked.arguments(),
            created_by=actor.name,
            project=project,
        )
        record = self._record("job.created", job, actor, now, action=order.action.value)
        return await self.jobs.add(job, records=[record])

    async def retry(self, job: Job, actor: Actor, *, connectors: Iterable[str] = (), owners: Iterable[str] = ()) -> Job:
        """Queue another for the connections that failed in this one, as far as its report names them.

        `connectors`, `owners`: what the API key that asks is limited to. Raises JobNotEnded, JobWithoutFailures, or
        NotFound where it is a job of another kind.
        """
        if job.kind != KIND:
            raise NotFound("There is no such bulk job.")
        if job.open:
            raise JobNotEnded
        ids = failed_ids(job.report)
        if not ids:
            raise JobWithoutFailures
        order = replace(BulkOrder.of(job), ids=ids)
        again = replace(order, connectors=tuple(sorted(connectors)), owners=tuple(sorted(owners)))
        return await self.create(again, actor, project=job.project)

    async def cancel(self, job: Job, actor: Actor) -> Job:
        """End one that waits, ask one that runs to end; one that has ended stays as it is. NotFound: it is gone."""
        now = self.clock.now()
        record = self._record("job.cancelled", job, actor, now)
        asked = await self.jobs.cancel(job.id, by=actor.name, now=now, records=[record], project=job.project)
        if asked is None:
            raise NotFound("There is no such job.")
        return asked

    def _record(self, what: str, job: Job, actor: Actor, now: float, **facts: str) -> AuditRecord:
        about = {"job": job.id, "kind": job.kind, **facts}
        return AuditRecord(now, what, actor.name, request_id=actor.request_id, facts=about, project=job.project)
