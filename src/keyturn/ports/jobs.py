"""Work that outlives a request: done later, again after a failure, or in many steps, by whichever process has time.

Rule 1: a job's arguments and cursor are plain JSON, without a secret in them: they name things, and what is secret is
read, sealed, from where it is kept.
Rule 2: a job runs at least once. A kind of job has to bear being begun again at its last cursor.
Rule 3: who asks for a job's end takes nothing from who runs it: that moves no revision.
Rule 4: renewals are no jobs: what is due stands in the connection's own row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol

from keyturn.core.audit_record import AuditRecord


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"  # waits for its time, the first or the next
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # given up
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work.

    `kind`: names the code that does it. `arguments`: what it is about, fixed. `cursor`: where it goes on. `run_at`:
    Unix seconds, not before. `tries`: how often it was begun from where it stands, the begin under way included.
    `unique`: of the jobs of a kind with one such key only one is open at a time. `total`: None where it can't be
    known. `failures`: code → how many items failed with it. `report`: what came of it, plain JSON. `cancelled_by`:
    somebody asked for its end; a running job ends at its next step. `seen_at`: when who runs it last said that it is
    alive.
    """

    id: str
    kind: str
    created_at: float
    run_at: float
    arguments: Mapping[str, Any] = field(default_factory=dict)
    cursor: Mapping[str, Any] = field(default_factory=dict)
    state: JobState = JobState.QUEUED
    unique: str | None = None
    tries: int = 0
    done: int = 0
    total: int | None = None
    failures: Mapping[str, int] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    last_error: str | None = None  # a code of the register
    created_by: str = ""
    cancelled_by: str | None = None
    started_at: float | None = None
    seen_at: float | None = None
    ended_at: float | None = None
    revision: int = 0
    project: str = "default"

    @property
    def open(self) -> bool:
        """Whether there is still something to do."""
        return self.state in (JobState.QUEUED, JobState.RUNNING)


def taken(job: Job, now: float) -> Job:
    """The job as it is once a process has claimed it; `now`: Unix seconds."""
    return replace(
        job,
        state=JobState.RUNNING,
        seen_at=now,
        started_at=now if job.started_at is None else job.started_at,
        tries=job.tries + 1,
        revision=job.revision + 1,
    )


def cancelled(job: Job, *, by: str, now: float) -> Job:
    """The job as it is once somebody asked for its end; the first who asks is named, and an ended one stays."""
    if not job.open or (job.state is JobState.RUNNING and job.cancelled_by is not None):
        return job
    asked = replace(job, cancelled_by=job.cancelled_by or by)
    if job.state is JobState.RUNNING:
        return asked
    return replace(asked, state=JobState.CANCELLED, ended_at=now, revision=job.revision + 1)


class Jobs(Protocol):
    """The queue. Promises: `tests/contracts/jobs_contract.py`."""

    async def add(self, job: Job, *, records: Sequence[AuditRecord] = ()) -> Job:
        """Put one in.

        Where an open one of its kind and project has the same `unique`, or any has its id, nothing is added, no record
        written, and that one returned.
        """
        ...

    async def load(self, job_id: str, *, project: str = "default") -> Job | None:
        """Read one."""
        ...

    async def list(
        self, *, kind: str | None = None, state: JobState | None = None, created_by: str | None = None,
        cursor: str | None = None, limit: int = 50, project: str = "default",
    ) -> tuple[Sequence[Job], str | None]:  # fmt: skip
        """Newest first, and the next cursor; a cursor that is none of ours raises ValidationFailed."""
        ...

    async def claim(self, *, now: float, kinds: frozenset[str], limit: int, abandoned_before: float) -> Sequence[Job]:
        """Take due jobs for this process: queued ones whose time has come, and running ones not seen since.

        Those that wait longest first, of every project. No two processes get the same one. What is returned is as
        `taken` says.
        """
        ...

    async def save(self, job: Job, *, records: Sequence[AuditRecord] = ()) -> Job:
        """Write over the row that has `job.revision`, or raise RevisionConflict: somebody else has it now.

        What is returned says who asked for its end meanwhile (`cancelled_by`); a save takes that from nobody.
        """
        ...

    async def cancel(
        self, job_id: str, *, by: str, now: float, records: Sequence[AuditRecord] = (), project: str = "default"
    ) -> Job | None:
        """End a queued one, ask a running one to end, leave others, as `cancelled` says.

        None where there is no such job. The records are written where it changed anything.
        """
        ...

    async def purge(self, *, ended_before: float) -> int:
        """Take ended ones away that are older; returns how many."""
        ...
