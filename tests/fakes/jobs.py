"""The queue of jobs in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from keyturn.core.audit_record import AuditRecord
from keyturn.ports.jobs import Job, JobState, cancelled, taken
from keyturn.ports.store import RevisionConflict
from tests.fakes.cursors import page_of
from tests.fakes.database import FakeDatabase, plain_copy


class FakeJobs:
    """Promises: `tests/contracts/jobs_contract.py`."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self._jobs: dict[str, Job] = {}

    def put(self, job: Job) -> None:
        """Put one in as part of another store's write, unless its id is there."""
        self._jobs.setdefault(job.id, _lent(job))

    def rename(self, owner: str, project: str, subject: str) -> int:
        """Put a subject where arguments name an owner, within a write of another."""
        number = 0
        for job in [each for each in self._jobs.values() if each.project == project]:
            arguments = dict(plain_copy(job.arguments))
            if (arguments.get("filter") or {}).get("owner") == owner:
                arguments["filter"] = {**arguments["filter"], "owner": subject}
            arguments["owners"] = [subject if each == owner else each for each in arguments.get("owners", ())]
            if "owners" not in job.arguments:
                del arguments["owners"]
            if arguments != plain_copy(job.arguments):
                self._jobs[job.id] = replace(job, arguments=arguments)
                number += 1
        return number

    async def add(self, job: Job, *, records: Sequence[AuditRecord] = ()) -> Job:
        """Put one in, unless it is there already."""
        await self._database.write("jobs.add")
        for each in self._jobs.values():
            alike = (each.project, each.kind, each.unique) == (job.project, job.kind, job.unique)
            if each.id == job.id or (job.unique is not None and each.open and alike):
                return _lent(each)
        self._jobs[job.id] = _lent(job)
        self._database.log(records)
        return job

    async def load(self, job_id: str, *, project: str = "default") -> Job | None:
        """Read one."""
        await self._database.read()
        job = self._jobs.get(job_id)
        return _lent(job) if job is not None and job.project == project else None

    async def list(
        self, *, kind: str | None = None, state: JobState | None = None, created_by: str | None = None,
        cursor: str | None = None, limit: int = 50, project: str = "default",
    ) -> tuple[Sequence[Job], str | None]:  # fmt: skip
        """Newest first, and the next cursor."""
        await self._database.read()
        found = sorted(self._jobs.values(), key=lambda job: (job.created_at, job.id), reverse=True)
        rows = [
            (job.id, _lent(job))
            for job in found
            if job.project == project
            and kind in (None, job.kind)
            and state in (None, job.state)
            and created_by in (None, job.created_by)
        ]
        return page_of(rows, cursor, limit)

    async def claim(self, *, now: float, kinds: frozenset[str], limit: int, abandoned_before: float) -> Sequence[Job]:
        """Take due jobs."""
        await self._database.write("jobs.claim")
        due = [
            job
            for job in self._jobs.values()
            if job.kind in kinds
            and (
                (job.state is JobState.QUEUED and job.run_at <= now)
                or (job.state is JobState.RUNNING and (job.seen_at or 0.0) < abandoned_before)
            )
        ]
        ours = [taken(job, now) for job in sorted(due, key=lambda job: (job.run_at, job.id))[: max(limit, 0)]]
        self._jobs |= {job.id: job for job in ours}
        return tuple(_lent(job) for job in ours)

    async def save(self, job: Job, *, records: Sequence[AuditRecord] = ()) -> Job:
        """Write over the row with this revision."""
        await self._database.write("jobs.save")
        stored = self._jobs.get(job.id)
        if stored is None or stored.revision != job.revision or stored.project != job.project:
            raise RevisionConflict("the job was written by another")
        asked_by = stored.cancelled_by or job.cancelled_by
        self._jobs[job.id] = _lent(replace(job, revision=job.revision + 1, cancelled_by=asked_by))
        self._database.log(records)
        return _lent(self._jobs[job.id])

    async def cancel(
        self, job_id: str, *, by: str, now: float, records: Sequence[AuditRecord] = (), project: str = "default"
    ) -> Job | None:
        """End a queued one; ask a running one to end."""
        await self._database.write("jobs.cancel")
        job = self._jobs.get(job_id)
        if job is None or job.project != project:
            return None
        asked = cancelled(job, by=by, now=now)
        if asked != job:
            self._jobs[job_id] = asked
            self._database.log(records)
        return _lent(asked)

    async def purge(self, *, ended_before: float) -> int:
        """Take older ended ones away."""
        await self._database.write("jobs.purge")
        old = [job.id for job in self._jobs.values() if job.ended_at is not None and job.ended_at < ended_before]
        for job_id in old:
            del self._jobs[job_id]
        return len(old)


def _lent(job: Job) -> Job:
    """Give out a copy: nothing that a caller does to it changes the row."""
    parts = {name: plain_copy(getattr(job, name)) for name in ("arguments", "cursor", "failures", "report")}
    return replace(job, **parts)
