"""Work that outlives a request: done later, again after a failure, or in many steps, by whichever process has time.

Rule 1: a job's arguments and cursor are plain JSON, without a secret in them: they name things, and what is secret is
read, sealed, from where it is kept.
Rule 2: a job runs at least once. A kind of job has to bear being begun again at its last cursor.
Rule 3: renewals are no jobs: what is due stands in the connection's own row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    Unix seconds, not before. `tries`: how often it was begun since the last progress. `unique`: of the jobs of a kind
    with one such key only one is open at a time. `total`: None where it can't be known. `failures`: code → how many
    items failed with it. `report`: what came of it, plain JSON. `cancelled_by`: somebody asked for its end; a running
    job ends at its next step. `seen_at`: when who runs it last said that it is alive.
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


class Jobs(Protocol):
    """The queue."""

    async def add(self, job: Job, *, records: Sequence[AuditRecord] = ()) -> Job:
        """Put one in; where an open one of its kind has the same `unique`, nothing is added and that one returned."""
        ...

    async def load(self, job_id: str, *, project: str = "default") -> Job | None:
        """Read one."""
        ...

    async def list(
        self, *, kind: str | None = None, state: JobState | None = None, cursor: str | None = None, limit: int = 50,
        project: str = "default",
    ) -> tuple[Sequence[Job], str | None]:  # fmt: skip
        """Newest first, and the next cursor."""
        ...

    async def claim(self, *, now: float, kinds: frozenset[str], limit: int, abandoned_before: float) -> Sequence[Job]:
        """Take due jobs for this process: queued ones whose time has come, and running ones not seen since.

        No two processes get the same one. What is returned is running, with `seen_at` now and a try more.
        """
        ...

    async def save(self, job: Job, *, records: Sequence[AuditRecord] = ()) -> Job:
        """Write over the row that has `job.revision`, or raise RevisionConflict: somebody else has it now."""
        ...

    async def cancel(self, job_id: str, *, by: str, now: float, records: Sequence[AuditRecord] = ()) -> Job | None:
        """End a queued one; ask a running one to end. None where there is no such job."""
        ...

    async def purge(self, *, ended_before: float) -> int:
        """Take ended ones away that are older; returns how many."""
        ...
