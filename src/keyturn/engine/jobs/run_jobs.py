"""The worker that every server process has: claims due jobs and runs them, a few at once.

Rule 1: no job and no failure ends the loop.
Rule 2: a process that ends gives its jobs back: each stops at its next step, is queued again, and has lost no try.
Rule 3: a job whose process died is taken up by another once it has not been seen for six heartbeats.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from keyturn.engine.jobs.job_kind import JobKind
from keyturn.engine.jobs.running_job import HEARTBEAT_S, RunningJob
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.jobs import Jobs
from keyturn.ports.observing.tracing import NO_TRACING, Tracing

AT_ONCE: Final = 4
ABANDONED_AFTER_S: Final = 6 * HEARTBEAT_S


class RunJobs:
    """The jobs of one process."""

    def __init__(
        self,
        jobs: Jobs,
        kinds: Iterable[JobKind],
        clock: Clock,
        entropy: Entropy,
        *,
        at_once: int = AT_ONCE,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        """`kinds`: what this process can do; jobs of other kinds wait for one that can."""
        self._jobs = jobs
        self._kinds = {kind.name: kind for kind in kinds}
        self._clock = clock
        self._entropy = entropy
        self._at_once = at_once
        self._tracing = tracing
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def kinds(self) -> frozenset[str]:
        """The names of what this process can do."""
        return frozenset(self._kinds)

    @property
    def busy(self) -> int:
        """How many jobs are under way here."""
        return len(self._tasks)

    async def look(self) -> None:
        """Claim what is due, as much as there is room for, and begin it."""
        room = self._at_once - len(self._tasks)
        if room <= 0 or self._stopping:
            return
        now = self._clock.now()
        claimed = await self._jobs.claim(
            now=now, kinds=self.kinds, limit=room, abandoned_before=now - ABANDONED_AFTER_S
        )
        for job in claimed:
            running = RunningJob(
                job, self._kinds[job.kind], self._jobs, self._clock, self._entropy, lambda: self._stopping
            )
            task = asyncio.create_task(self._run(running, job.kind), name=f"job {job.id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, running: RunningJob, kind: str) -> None:
        with self._tracing.span("job", keyturn_job=kind):
            await running.run()

    async def drain(self, timeout_s: float) -> None:
        """Claim nothing new, and let what is under way stop at its next step; what takes longer is stopped there."""
        self._stopping = True
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout_s)
        left = set(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def idle(self) -> None:
        """Wait until nothing is under way here."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))
