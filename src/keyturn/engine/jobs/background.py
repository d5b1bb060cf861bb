"""The jobs of a process as its scheduler sees them: what recurs is added, what is due is begun.

Rule 1: deliveries and mails have a worker of their own: a receiver that hangs must not keep other work waiting.
Rule 2: what follows from the audit log is added before what is due is begun: a mail then says all that it is about.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from keyturn.engine.jobs.run_jobs import RunJobs
from keyturn.engine.jobs.schedule import Schedule

LOOK_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Background:
    """The workers and their calendar. `follow`: makes jobs of what was written."""

    run_jobs: RunJobs
    schedule: Schedule
    run_deliveries: RunJobs
    follow: Callable[[], Awaitable[None]]

    async def jobs_due(self) -> None:
        """One round."""
        try:
            await self.schedule.look()
            await self.follow()
        finally:
            await self.run_jobs.look()
            await self.run_deliveries.look()
