"""Recurring work: one job in each period, whatever number of processes looks at the clock.

Rule: a period's job has an id that follows from kind and period, so that it is added once by whoever comes first, and
not again after it has ended; and a job of a period before that is still open stands for the next as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from keyturn.engine.actor import SCHEDULER
from keyturn.ports.clock import Clock
from keyturn.ports.jobs import Job, Jobs

UNIQUE: Final = "recurring"


@dataclass(frozen=True, slots=True)
class Recurring:
    """A kind of job that is due once in each period of `every_s` seconds, counted from the Unix epoch."""

    kind: str
    every_s: float


class Schedule:
    """Adds the jobs of recurring work."""

    def __init__(self, jobs: Jobs, recurring: Iterable[Recurring], clock: Clock) -> None:
        self._jobs = jobs
        self._recurring = tuple(recurring)
        self._clock = clock
        self._added: dict[str, int] = {}

    async def look(self) -> None:
        """Add what this period has not got yet; asks the database once per period and kind."""
        now = self._clock.now()
        for each in self._recurring:
            period = int(now // each.every_s)
            if self._added.get(each.kind) == period:
                continue
            await self._jobs.add(
                Job(
                    id=job_id(each, period),
                    kind=each.kind,
                    created_at=now,
                    run_at=now,
                    unique=UNIQUE,
                    created_by=SCHEDULER.name,
                )
            )
            self._added[each.kind] = period


def job_id(recurring: Recurring, period: int) -> str:
    """The id of a period's job: the same in every process."""
    name = f"{recurring.kind} every {recurring.every_s} s: {period}"
    return f"job_{hashlib.sha256(name.encode()).hexdigest()[:32]}"
