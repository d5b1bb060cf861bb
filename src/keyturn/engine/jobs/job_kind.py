"""What a kind of job is, to those who write one and to those who run it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from keyturn.ports.jobs import Job


class JobEnds(Exception):
    """A running job has to end where it stands. A kind lets it pass: only who runs the job knows what follows."""


class JobCancelled(JobEnds):
    """Somebody asked for the job's end."""


class JobStopped(JobEnds):
    """This process ends; the job is queued again, goes on at its last cursor and has lost no try."""


class Progress(Protocol):
    """A running job's own handle on its row."""

    @property
    def job(self) -> Job:
        """The job as it was last written."""
        ...

    async def step(
        self,
        *,
        cursor: Mapping[str, Any] | None = None,
        done: int = 0,
        failures: Mapping[str, int] | None = None,
        total: int | None = None,
        report: Mapping[str, Any] | None = None,
    ) -> None:
        """Write down how far it has come; counts are added to those so far, cursor, total and report replaced.

        To be called by one task at a time.

        Raises:
            JobCancelled, JobStopped: it has to end now; what was given is written down.
            RevisionConflict: another process has taken the job over; this one has to end as well.
            StoreUnavailable: nothing was written.
        """
        ...


class JobKind(Protocol):
    """Code that does jobs of one kind. It may be begun again at its last cursor at any time."""

    @property
    def name(self) -> str:
        """The kind, `noun.verb`, as in a job's row."""
        ...

    @property
    def delays_s(self) -> tuple[float, ...]:
        """Seconds to wait before each further try after a failure; at the end of the list it is given up."""
        ...

    async def run(self, job: Job, progress: Progress) -> None:
        """Do it, or raise: a KeyturnError's code is written down and it is tried again by `delays_s`.

        A `retry_after_s` of the error is honoured where it is longer than the delay. What is cancelled as a task ends
        as one that was stopped: its process ends, or another has taken the job over.
        """
        ...
