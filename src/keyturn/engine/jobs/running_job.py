"""One job that this process runs: its progress, its signs of life, and how it ends.

Rule 1: one write at a time, each over the revision of the one before: a job that another process has taken over can't
be written from here, and ends.
Rule 2: what an exception says is not written down: a KeyturnError's code is, and of a mistake of ours kind and place.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import structlog

from keyturn.core.audit_record import AuditRecord
from keyturn.core.crashes import crash_facts
from keyturn.core.errors import KeyturnError, StoreUnavailable
from keyturn.engine.actor import SCHEDULER
from keyturn.engine.jobs.job_kind import JobCancelled, JobKind, JobStopped
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.jobs import Job, Jobs, JobState
from keyturn.ports.store import RevisionConflict

HEARTBEAT_S: Final = 15.0
JITTER: Final = 0.2  # of a delay, added at most
CRASHED: Final = "internal_error"

log = structlog.get_logger("keyturn.jobs")


class RunningJob:
    """Implements `Progress`, and runs its kind."""

    def __init__(
        self, job: Job, kind: JobKind, jobs: Jobs, clock: Clock, entropy: Entropy, stopping: Callable[[], bool]
    ) -> None:
        """`stopping`: whether this process is ending."""
        self._job = job
        self._kind = kind
        self._jobs = jobs
        self._clock = clock
        self._entropy = entropy
        self._stopping = stopping
        self._writing = asyncio.Lock()
        self._begun_at = clock.monotonic()

    @property
    def job(self) -> Job:
        """The job as it was last written."""
        return self._job

    async def step(
        self,
        *,
        cursor: Mapping[str, Any] | None = None,
        done: int = 0,
        failures: Mapping[str, int] | None = None,
        total: int | None = None,
        report: Mapping[str, Any] | None = None,
    ) -> None:
        """Write down how far it has come, and end where that is asked for."""
        changes: dict[str, Any] = {"seen_at": self._clock.now()}
        given = {"cursor": cursor, "total": total, "report": report}
        changes |= {name: value for name, value in given.items() if value is not None}
        if cursor is not None or done:
            changes |= {"tries": 1}
        async with self._writing:
            so_far = self._job
            counts = Counter(so_far.failures)
            counts.update(failures or {})
            changes |= {"done": so_far.done + done, "failures": dict(counts)}
            self._job = await self._jobs.save(replace(so_far, **changes))
        if self._job.cancelled_by is not None:
            raise JobCancelled
        if self._stopping():
            raise JobStopped

    async def run(self) -> None:
        """Do it to its end, whatever that is; only a database that is gone leaves it to be taken up as abandoned."""
        try:
            await self._run()
        except RevisionConflict:
            log.info("job_taken_over", job=self._job.id, kind=self._job.kind)
        except StoreUnavailable:
            log.warning("store_unavailable", work="jobs", job=self._job.id)

    async def _run(self) -> None:
        if self._job.cancelled_by is not None:
            return await self._end(JobState.CANCELLED)
        if self._job.tries > len(self._kind.delays_s) + 1:
            # Whoever ran it died each time; that may well have been its doing.
            return await self._end(JobState.FAILED, CRASHED)
        try:
            await self._beside_heartbeat()
        except JobCancelled:
            await self._end(JobState.CANCELLED)
        except (JobStopped, asyncio.CancelledError) as ended:
            await self._queue_again()
            if isinstance(ended, asyncio.CancelledError):
                raise
        except RevisionConflict:
            raise
        except KeyturnError as error:
            await self._failed(error.code, error.retry_after_s)
        except Exception as error:  # noqa: BLE001  (written down, without what a traceback could show)
            log.error("job_crashed", job=self._job.id, kind=self._job.kind, **crash_facts(error))
            await self._failed(CRASHED, None)
        else:
            await self._end(JobState.DONE)

    async def _beside_heartbeat(self) -> None:
        """Run the kind's code; a job that is another's by now is ended at once."""
        work = asyncio.ensure_future(self._kind.run(self._job, self))
        beat = asyncio.ensure_future(self._beat())
        try:
            await asyncio.wait({work, beat}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                await beat  # raises
            await work
        finally:
            for each in (work, beat):
                each.cancel()
            await asyncio.gather(work, beat, return_exceptions=True)

    async def _beat(self) -> None:
        while True:
            await self._clock.sleep(HEARTBEAT_S)
            try:
                async with self._writing:
                    self._job = await self._jobs.save(replace(self._job, seen_at=self._clock.now()))
            except StoreUnavailable:
                log.warning("store_unavailable", work="heartbeat", job=self._job.id)

    async def _failed(self, code: str, retry_after_s: float | None) -> None:
        """Try it again later, or give it up."""
        delays = self._kind.delays_s
        if self._job.tries > len(delays):
            return await self._end(JobState.FAILED, code)
        delay = delays[max(self._job.tries, 1) - 1] * (1 + JITTER * self._entropy.fraction())
        wait_s = max(delay, retry_after_s or 0.0)
        log.info("job_failed", job=self._job.id, kind=self._job.kind, code=code, again_in_s=round(wait_s, 1))
        again = replace(self._job, state=JobState.QUEUED, run_at=self._clock.now() + wait_s, last_error=code)
        await self._put_back(again)

    async def _queue_again(self) -> None:
        again = replace(self._job, state=JobState.QUEUED, run_at=self._clock.now(), tries=max(0, self._job.tries - 1))
        log.info("job_stopped", job=self._job.id, kind=self._job.kind, done=self._job.done)
        await self._put_back(again)

    async def _put_back(self, again: Job) -> None:
        self._job = await self._jobs.save(replace(again, seen_at=None))
        if self._job.cancelled_by is not None:
            await self._end(JobState.CANCELLED)

    async def _end(self, state: JobState, code: str | None = None) -> None:
        """Write its end and who is told of it: the log always, the audit log of what somebody asked for."""
        now = self._clock.now()
        last_error = code or (None if state is JobState.DONE else self._job.last_error)
        ended = replace(self._job, state=state, ended_at=now, last_error=last_error)
        outcome = "ok" if code is None else code
        self._job = await self._jobs.save(ended, records=self._records(ended, outcome, now))
        log.info(
            "job_finished",
            job=ended.id,
            kind=ended.kind,
            state=state.value,
            code=code,
            done=ended.done,
            failed=sum(ended.failures.values()),
            took_s=round(self._clock.monotonic() - self._begun_at, 3),
        )

    def _records(self, job: Job, outcome: str, now: float) -> list[AuditRecord]:
        """None of recurring work that found nothing to do: hundreds a day would bury the rest."""
        if job.created_by == SCHEDULER.name and outcome == "ok" and not job.done:
            return []
        facts: dict[str, Any] = {"job": job.id, "kind": job.kind, "state": job.state.value}
        facts |= {"done": job.done, "failures": dict(job.failures)}
        by = job.created_by or SCHEDULER.name
        return [AuditRecord(now, "job.finished", by, outcome, facts=facts, project=job.project)]
