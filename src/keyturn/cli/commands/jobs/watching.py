"""Watching a job to its end, and saying what came of it.

Rule 1: the job is the server's: who stops watching ends nothing, and is told how to go on.
Rule 2: the bar is drawn on standard error, on a terminal only; where there is none a line is written every ten seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Protocol

from keyturn.cli.api_client import ApiClient, path_of
from keyturn.cli.failures import OK, SOME_FAILED, exit_code_of
from keyturn.cli.output import in_color, one_line, say, say_json, styled, tell, write_styled

LOOK_EVERY_S: Final = 0.5
LINE_EVERY_S: Final = 10.0
OPEN: Final = ("queued", "running")
FAILURES_SHOWN: Final = 10


class Shown(Protocol):
    """Where progress is shown."""

    def update(self, job: Mapping[str, Any]) -> None:
        """Show how far it is."""
        ...


def watch(client: ApiClient, job_id: str, *, as_json: bool) -> int:
    """Follow a job until it has ended, say what came of it, and return the exit code."""
    try:
        with _display(as_json) as shown:
            while (job := client.get(path_of("jobs", job_id)).members).get("state") in OPEN:
                shown.update(job)
                time.sleep(LOOK_EVERY_S)
            shown.update(job)
    except KeyboardInterrupt:
        tell(f"The job goes on. To see it again: keyturn job watch {job_id}")
        tell(f"To end it: keyturn job cancel {job_id}")
        raise
    if as_json:
        say_json(job)
    else:
        show_end(job)
    return exit_code(job)


def exit_code(job: Mapping[str, Any]) -> int:
    """0 where all of it is done; of a job that was given up, the code's; 9 where some failed or were left."""
    if job.get("state") == "failed":
        return exit_code_of(str(job.get("last_error")))
    return OK if job.get("state") == "done" and not job.get("failed") else SOME_FAILED


def show_end(job: Mapping[str, Any]) -> None:
    """Counts, then failures by code with the next step of each."""
    from keyturn.core.problems import PROBLEMS

    done, failed = job.get("done") or 0, job.get("failed") or 0
    words = [styled(f"✓ {done} done", "green")]
    if failed:
        words.append(styled(f"✗ {failed} failed", "red"))
    if job.get("state") in ("failed", "cancelled"):
        words.append(styled(f"{job['state']}, {_left(job)} left", "yellow"))
    write_styled("   ".join([*words, styled(f"job: {one_line(job.get('id'))}", "dim")]))
    if job.get("state") == "failed":
        say(f"given up: {one_line(job.get('last_error'))}")
    counts = job.get("failures")
    failures = sorted(counts.items(), key=lambda pair: -pair[1]) if isinstance(counts, Mapping) else []
    for code, number in failures[:FAILURES_SHOWN]:
        problem = PROBLEMS.get(code)
        say(f"{number:>6}  {one_line(code)}{f'  {problem.action_here()}' if problem else ''}")
    if failed and job.get("state") not in OPEN and job.get("kind") == "connection.bulk":
        tell(f"Which they are: keyturn job show {one_line(job.get('id'))}")
        tell(f"Those again:    keyturn job retry {one_line(job.get('id'))}")


def _left(job: Mapping[str, Any]) -> str:
    total = job.get("total")
    if not isinstance(total, int):
        return "some"
    return str(max(0, total - (job.get("done") or 0) - (job.get("failed") or 0)))


def _display(as_json: bool) -> AbstractContextManager[Shown]:
    if as_json:
        return nullcontext(_Silent())
    return _Bar() if sys.stderr.isatty() else nullcontext(_Lines())


class _Silent:
    """For programs, which read the document at the end."""

    def update(self, job: Mapping[str, Any]) -> None:
        """Nothing."""


class _Lines:
    """For logs."""

    def __init__(self) -> None:
        self._said_at = time.monotonic()

    def update(self, job: Mapping[str, Any]) -> None:
        """A line now and then."""
        if time.monotonic() - self._said_at >= LINE_EVERY_S:
            self._said_at = time.monotonic()
            of = f" of {job['total']}" if job.get("total") is not None else ""
            tell(f"{job.get('done')}{of} done, {job.get('failed')} failed")


class _Bar:
    """For people: bar, counts, rate, time left, failures so far."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failed]}"),
            console=Console(file=sys.stderr, no_color=not in_color(sys.stderr), highlight=False, markup=False),
            transient=True,
        )
        self._task = self._progress.add_task("waiting", total=None, rate="", failed="")
        self._began: tuple[float, int] | None = None

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, job: Mapping[str, Any]) -> None:
        """Move the bar."""
        failed = job.get("failed") or 0
        ended = (job.get("done") or 0) + failed
        now = time.monotonic()
        if self._began is None:
            self._began = (now, ended)
        took_s = now - self._began[0]
        self._progress.update(
            self._task,
            description=one_line(job.get("action") or job.get("kind")),
            completed=ended,
            total=job.get("total"),
            rate=f"{(ended - self._began[1]) / took_s:.1f}/s" if took_s > 1 else "",
            failed=f"{failed} failed" if failed else "",
        )
