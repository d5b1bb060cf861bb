"""Jobs: how far they are, what failed, and what can be done about it; live where the browser runs our script.

Rule 1: the live figures are the page's own, sent again: a browser without the script sees the same after a reload.
Rule 2: a stream ends by itself soon, and the browser asks again: signing out and a shutdown are noticed by then.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response, StreamingResponse

from keyturn.core.access.roles import Permission
from keyturn.core.errors import Finding, ForbiddenRole, KeyturnError, NotFound, StoreUnavailable, ValidationFailed
from keyturn.engine.actor import SCHEDULER
from keyturn.engine.jobs.bulk.bulk_order import KIND
from keyturn.engine.jobs.bulk.bulk_report import session_ids
from keyturn.engine.keys.rewrap import KIND as REWRAP
from keyturn.ports.jobs import Job, JobState
from keyturn.web.console.job_words import KINDS, job_title
from keyturn.web.console.page import Page
from keyturn.web.console.pages import job_links
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit
from keyturn.web.console.who import who_did

SHOWN: Final = 50
LIVE_FOR_S: Final = 15.0
EVERY_S: Final = 1.0
ROWS: Final = 100  # of the report
ALL_KINDS: Final = "all"
STATES: Final = tuple(each.value for each in JobState)


@dataclass(frozen=True, slots=True)
class Course:
    """A job in figures: `share` from 0 to 100, None where the total is not known."""

    state: str
    done: int
    failed: int
    total: int | None
    share: int | None
    left: str
    rate: str

    def as_json(self) -> dict[str, Any]:
        """As the script puts it into the page, by the names of its places."""
        total = "" if self.total is None else str(self.total)
        words = {"state": self.state, "done": str(self.done), "failed": str(self.failed), "total": total}
        return {**words, "left": self.left, "rate": self.rate, "share": self.share}


def course_of(job: Job, now: float) -> Course:
    """How far it is, how fast it goes, and how long it takes from here on at that speed."""
    failed = sum(job.failures.values())
    gone = job.done + failed
    ran_s = (job.ended_at or now) - job.started_at if job.started_at is not None else 0.0
    rate = gone / ran_s if ran_s > 0 and gone else 0.0
    share = None if not job.total else min(100, round(gone / job.total * 100))
    left = ""
    if job.state is JobState.RUNNING and rate and job.total:
        left = f"about {span(max(0, job.total - gone) / rate)} left"
    return Course(job.state.value, job.done, failed, job.total, share, left, f"{rate:.1f} a second" if rate else "")


def span(seconds: float) -> str:
    """A length of time, roughly."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


async def show_jobs(console: Console, visit: Visit) -> Response:
    """Newest first; those that somebody asked for, or all."""
    state, asked = visit.query("state"), visit.query("kind") or KIND
    if asked != ALL_KINDS and asked not in KINDS:
        message = f"The kinds are: {ALL_KINDS}, {', '.join(KINDS)}."
        raise ValidationFailed(errors=[Finding("/kind", "invalid", message)])
    kind = None if asked == ALL_KINDS else asked
    if state and state not in STATES:
        raise ValidationFailed(errors=[Finding("/state", "invalid", f"The states are: {', '.join(STATES)}.")])
    found, following = await console.application.jobs.list(
        kind=kind, state=JobState(state) if state else None, cursor=visit.query("cursor") or None, limit=SHOWN
    )
    rows = [(each, job_title(each), course_of(each, console.now())) for each in found]
    names = await who_did(console, visit, (each.created_by or SCHEDULER.name for each in found))
    return console.page(
        visit,
        "jobs/list.html",
        rows=rows,
        names=names,
        state=state,
        states=STATES,
        kind=asked,
        usual=KIND,
        kinds=KINDS,
        every=asked != KIND,
        next_cursor=following,
    )


async def show_job(console: Console, visit: Visit) -> Response:
    """One of them."""
    return await _page(console, visit, await _found(console, visit))


async def show_live(console: Console, visit: Visit) -> Response:
    """Its figures as server-sent events, until it has ended or for a short while."""
    job = await _found(console, visit)
    return StreamingResponse(_events(console, job), media_type="text/event-stream")


async def _events(console: Console, job: Job | None) -> AsyncIterator[str]:
    clock, job_id = console.application.clock, job.id if job is not None else ""
    until, told = clock.monotonic() + LIVE_FOR_S, ""
    yield "retry: 1000\n\n"
    while job is not None:
        text = json.dumps(course_of(job, console.now()).as_json())
        if text != told:
            yield f"data: {text}\n\n"
            told = text
        if not job.open:
            yield "event: over\ndata: {}\n\n"
            return
        if clock.monotonic() >= until:
            return
        await clock.sleep(EVERY_S)
        try:
            job = await console.application.jobs.load(job_id)
        except StoreUnavailable:
            return


async def post_cancel(console: Console, visit: Visit) -> Response:
    """Ask for its end; that of anything but an action on connections takes an administrator: nobody else begins one."""
    job = await _found(console, visit)
    if job.kind != KIND and not visit.may(Permission.ADMINISTER):
        raise ForbiddenRole
    await console.application.bulk_jobs.cancel(job, visit.actor)
    return console.back(f"/jobs/{job.id}", said="cancelled")


async def post_retry(console: Console, visit: Visit) -> Response:
    """Do what failed again, as another job."""
    job = await _found(console, visit)
    try:
        again = await console.application.bulk_jobs.retry(job, visit.actor)
    except NotFound:
        raise
    except KeyturnError:
        return console.back(f"/jobs/{job.id}", said="nothing_to_retry")
    return console.back(f"/jobs/{again.id}", said="queued")


async def post_links(console: Console, visit: Visit) -> Response:
    """Show the links that it made, or hand them over as a file."""
    job = await _found(console, visit)
    rows, kind = await job_links.rows_of(console, visit, job), visit.form.text("as")
    if kind in job_links.FILES:
        return job_links.as_file(job, rows, kind)
    return await _page(console, visit, job, links=rows)


async def _page(console: Console, visit: Visit, job: Job, *, links: list[job_links.Row] | None = None) -> Response:
    failed = list(job.report.get("failed", ()))
    return console.page(
        visit,
        "jobs/one.html",
        job=job,
        names=await who_did(console, visit, (job.created_by or SCHEDULER.name, job.cancelled_by)),
        course=course_of(job, console.now()),
        title=job_title(job),
        bulk=job.kind == KIND,
        reseals=job.kind == REWRAP,
        left=job.report.get("data_keys_left"),
        failed=failed[:ROWS],
        unlisted=max(0, sum(job.failures.values()) - len(failed[:ROWS])),
        retries=len(failed) if job.kind == KIND and not job.open else 0,
        made=len(session_ids(job.report)),
        links=links,
        links_csv=job_links.as_csv(links) if links else "",
    )


async def _found(console: Console, visit: Visit) -> Job:
    job = await console.application.jobs.load(visit.path("job"))
    if job is None:
        raise NotFound("There is no such job.")
    return job


_ONE: Final = "/jobs/{job}"
PAGES: Final = (
    Page("GET", "/jobs", show_jobs, Permission.VIEW),
    Page("GET", _ONE, show_job, Permission.VIEW),
    Page("GET", f"{_ONE}/live", show_live, Permission.VIEW),
    Page("POST", f"{_ONE}/cancel", post_cancel, Permission.OPERATE),
    Page("POST", f"{_ONE}/retry", post_retry, Permission.OPERATE),
    Page("POST", f"{_ONE}/links", post_links, Permission.OPERATE),
)
