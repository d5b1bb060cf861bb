"""Jobs as callers get them.

Rule 1: of a job's report everything is shown; no link has a member in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from keyturn.engine.jobs.bulk.bulk_order import KIND
from keyturn.ports.jobs import Job
from keyturn.web.control.shapes.answers import Time
from keyturn.web.control.shapes.showing import maybe_time, time_of


class JobFilterAnswer(BaseModel):
    """Which connections a bulk job is about; None means any."""

    connector: str | None
    owner: str | None
    state: str | None
    search: str | None = None
    reason: str | None = None
    error: str | None = None
    attention: bool = False
    ends_before: Time | None = None
    renews_before: Time | None = None


class JobAnswer(BaseModel):
    """A job: `queued`, `running`, `done`, `failed` (given up) or `cancelled`.

    `done` counts what worked and `failed` what did not, by code in `failures`; `total` is None where it is not known.
    `action` and `filter` are those of a bulk job; `connections` says how many were named, where it is about those
    alone. `report` names the first thousand connections that failed, with
    their codes; `left_off` says how many more there are.
    """

    id: str
    kind: str
    state: str
    action: str | None
    filter: JobFilterAnswer | None
    connections: int | None
    done: int
    failed: int
    total: int | None
    failures: dict[str, int]
    report: dict[str, Any]
    last_error: str | None
    tries: int
    cancelled_by: str | None
    created_by: str
    created_at: Time
    run_at: Time
    started_at: Time | None
    seen_at: Time | None
    ended_at: Time | None


class JobRow(JobAnswer):
    """A job in a list; its report is empty there."""


class JobList(BaseModel):
    """One page, newest first."""

    data: list[JobRow]
    next_cursor: str | None


class JobLinkAnswer(BaseModel):
    """The link that repairs one connection, and whom it is for.

    `url` is None where it was opened or is too old; connector, owner and name where the connection is gone.
    """

    connection: str
    session: str
    connector: str | None
    owner: str | None
    name: str | None
    url: str | None
    expires_at: Time | None


class JobLinkList(BaseModel):
    """The links that a job made; None in a replay."""

    data: list[JobLinkAnswer] | None


def job_answer(job: Job) -> JobAnswer:
    """A job as callers see it."""
    return JobAnswer(**_members(job), report=dict(job.report))


def job_list(jobs: list[Job], next_cursor: str | None) -> JobList:
    """A page of them."""
    return JobList(data=[JobRow(**_members(each), report={}) for each in jobs], next_cursor=next_cursor)


def _filter(kept: Mapping[str, Any]) -> JobFilterAnswer:
    times = {name: maybe_time(kept.get(name)) for name in ("ends_before", "renews_before")}
    return JobFilterAnswer(**{**kept, **times})


def _members(job: Job) -> dict[str, Any]:
    bulk = job.kind == KIND
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state.value,
        "action": job.arguments["action"] if bulk else None,
        "filter": _filter(job.arguments["filter"]) if bulk else None,
        "connections": len(job.arguments["ids"]) if bulk and job.arguments.get("ids") is not None else None,
        "done": job.done,
        "failed": sum(job.failures.values()),
        "total": job.total,
        "failures": dict(job.failures),
        "last_error": job.last_error,
        "tries": job.tries,
        "cancelled_by": job.cancelled_by,
        "created_by": job.created_by,
        "created_at": time_of(job.created_at),
        "run_at": time_of(job.run_at),
        "started_at": maybe_time(job.started_at),
        "seen_at": maybe_time(job.seen_at),
        "ended_at": maybe_time(job.ended_at),
    }
