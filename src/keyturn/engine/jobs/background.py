"""The jobs of a process as its scheduler sees them: what recurs is added, what is due is begun."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from keyturn.engine.jobs.run_jobs import RunJobs
from keyturn.engine.jobs.schedule import Schedule

LOOK_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Background:
    """The worker and its calendar."""

    run_jobs: RunJobs
    schedule: Schedule

    async def jobs_due(self) -> None:
        """One round."""
        await self.schedule.look()
        await self.run_jobs.look()
