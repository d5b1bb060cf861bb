"""What is kept no longer than it serves somebody, as recurring jobs.

Rule: each row is one sentence of the documents (`docs/explanation/jobs.md` lists them), and one statement of a store.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from keyturn.engine.jobs.job_kind import Progress
from keyturn.engine.jobs.schedule import Recurring
from keyturn.ports.access.idempotency import IdempotencyStore
from keyturn.ports.clock import Clock
from keyturn.ports.jobs import Job, Jobs
from keyturn.ports.store import ConnectionStore, LoginLedger, SessionStore

DAY_S: Final = 86_400.0
TOMBSTONES_FOR_S: Final = 30 * DAY_S
SESSIONS_FOR_S: Final = 7 * DAY_S  # after their end; until then an application may ask what became of its link
REPLIES_FOR_S: Final = DAY_S
JOBS_FOR_S: Final = 30 * DAY_S
SIGN_INS_FOR_S: Final = DAY_S  # after their end; until then a form that was open in one is known as its person's
DELIVERIES_FOR_S: Final = 30 * DAY_S  # and the events that they are of
AGAIN_AFTER_S: Final = (60.0, 600.0, 3600.0)


@dataclass(frozen=True, slots=True)
class Retention:
    """A kind of job that takes away what is too old; `remove` is given now, in Unix seconds, and says how many."""

    name: str
    remove: Callable[[float], Awaitable[int]]
    clock: Clock
    delays_s: tuple[float, ...] = AGAIN_AFTER_S

    async def run(self, job: Job, progress: Progress) -> None:
        """Take it away."""
        removed = await self.remove(self.clock.now())
        await progress.step(done=removed, report={"removed": removed})


def retention_kinds(
    *,
    connections: ConnectionStore,
    sessions: SessionStore,
    idempotency: IdempotencyStore,
    logins: LoginLedger,
    jobs: Jobs,
    clock: Clock,
) -> list[Retention]:
    """The kinds, one for each thing that is kept for a time."""
    rows: dict[str, Callable[[float], Awaitable[int]]] = {
        "connection.purge": lambda now: connections.purge(disconnected_before=now - TOMBSTONES_FOR_S),
        "session.purge": lambda now: sessions.purge(expired_before=now - SESSIONS_FOR_S),
        "reply.purge": lambda now: idempotency.purge(claimed_before=now - REPLIES_FOR_S),
        "login.purge": lambda now: logins.purge(now=now),
        "job.purge": lambda now: jobs.purge(ended_before=now - JOBS_FOR_S),
    }
    return [Retention(name, remove, clock) for name, remove in rows.items()]


def daily(kinds: list[Retention]) -> list[Recurring]:
    """Each once a day, at midnight UTC and at the first start."""
    return [Recurring(kind.name, DAY_S) for kind in kinds]
