"""Jobs: one action on many connections, watched, cancelled and done again for what failed.

Rule 1: a key that is limited to connectors or owners acts on theirs alone, and knows of no job but those it made.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Query
from starlette.responses import Response

from keyturn.core.errors import Finding, NotFound, ValidationFailed
from keyturn.engine.application import Application
from keyturn.engine.jobs.bulk.bulk_links import MadeLink, links_of
from keyturn.engine.jobs.bulk.bulk_order import KIND, BulkAction, BulkOrder
from keyturn.ports.jobs import Job, JobState
from keyturn.web.control.caller import App, Caller, Calling
from keyturn.web.control.operations import Operation, Takes
from keyturn.web.control.routes.connections import STATES
from keyturn.web.control.shapes.jobs import JobAnswer, JobLinkAnswer, JobLinkList, JobList, job_answer, job_list
from keyturn.web.control.shapes.requests import JobFilter, JobQuery, NewJob, Nothing
from keyturn.web.control.shapes.showing import answer, maybe_time
from keyturn.web.control.shown_once import link_text

TAG: Final = "jobs"
ACTIONS: Final = tuple(each.value for each in BulkAction)
JOB_STATES: Final = tuple(each.value for each in JobState)
EXAMPLE: Final[dict[str, Any]] = {
    "id": "job_5f0c6e2d",
    "kind": KIND,
    "state": "running",
    "action": "test",
    "filter": {
        "connector": "acme", "owner": None, "state": None, "search": None, "reason": None, "error": None,
        "attention": False, "ends_before": None, "renews_before": None,
    },
    "connections": None,
    "done": 209,
    "failed": 3,
    "total": 214,
    "failures": {"connection_test_failed": 2, "connection_needs_reconnect": 1},
    "report": {"failed": [{"connection": "cxn_7q2", "code": "connection_test_failed"}], "left_off": 0},
    "last_error": None,
    "tries": 1,
    "cancelled_by": None,
    "created_by": "key:key_1",
    "created_at": "2030-01-31T12:00:00.000Z",
    "run_at": "2030-01-31T12:00:00.000Z",
    "started_at": "2030-01-31T12:00:00.800Z",
    "seen_at": "2030-01-31T12:00:41.000Z",
    "ended_at": None,
}  # fmt: skip


async def create_job(body: NewJob, app: App, caller: Calling) -> Response:
    """Do one action on many connections.

    `action`: `test`, `renew`, `pause`, `resume`, `disconnect`, `reconnect_links` or `migrate`, on the connections of
    `filter`, of which those that are disconnected are left out, or on those that `connections` names. Without a
    `state`, `resume` is about those that are paused and `reconnect_links` about those that need it. The job begins
    within a second or two; watch it at its address.
    """
    wanted = body.filter
    findings = []
    if body.kind != KIND:
        findings.append(Finding("/kind", "unknown_kind", f"The kind is {KIND}."))
    if body.action not in ACTIONS:
        findings.append(Finding("/action", "unknown_action", f"The actions are: {', '.join(ACTIONS)}."))
    if wanted.state is not None and wanted.state not in STATES:
        findings.append(Finding("/filter/state", "unknown_state", f"The states are: {', '.join(sorted(STATES))}."))
    if body.connections is not None and wanted != JobFilter():
        findings.append(Finding("/connections", "invalid", "Give a filter or connections, not both."))
    if findings:
        raise ValidationFailed(errors=findings)
    if wanted.connector is not None:
        caller.must_see(wanted.connector)
    if wanted.owner is not None:
        caller.must_see_owner(wanted.owner)
    order = BulkOrder(
        BulkAction(body.action),
        wanted.connector,
        wanted.owner,
        wanted.state,
        connectors=tuple(sorted(caller.principal.connectors)),
        owners=tuple(sorted(caller.principal.owners)),
        ids=tuple(dict.fromkeys(body.connections)) if body.connections is not None else None,
        search=wanted.search,
        reason=wanted.reason,
        error=wanted.error,
        attention=wanted.attention,
        ends_before=wanted.ends_before,
        renews_before=wanted.renews_before,
    )
    made = await app.bulk_jobs.create(order, caller.actor, project=caller.principal.project)
    return answer(job_answer(made), 202, location=f"/v1/jobs/{made.id}")


async def list_jobs(app: App, caller: Calling, query: Annotated[JobQuery, Query()]) -> Response:
    """List jobs, newest first.

    Those that recur are among them; `kind=connection.bulk` shows what somebody asked for. Ended ones are kept for
    thirty days.
    """
    if query.state is not None and query.state not in JOB_STATES:
        words = ", ".join(JOB_STATES)
        raise ValidationFailed(errors=[Finding("/state", "unknown_state", f"The states are: {words}.")])
    found, following = await app.jobs.list(
        kind=query.kind,
        state=JobState(query.state) if query.state is not None else None,
        created_by=caller.actor.name if caller.principal.limited else None,
        cursor=query.cursor,
        limit=query.limit,
        project=caller.principal.project,
    )
    return answer(job_list(list(found), following))


async def get_job(job_id: str, app: App, caller: Calling) -> Response:
    """Read a job."""
    return answer(job_answer(await _found(app, caller, job_id)))


async def cancel_job(job_id: str, app: App, caller: Calling, nothing: Nothing | None = None) -> Response:
    """Cancel a job.

    One that waits is ended at once; one that runs ends between two connections, and what it did stays done. One that
    has ended stays as it is.
    """
    return answer(job_answer(await app.bulk_jobs.cancel(await _found(app, caller, job_id), caller.actor)), 202)


async def retry_job(job_id: str, app: App, caller: Calling, nothing: Nothing | None = None) -> Response:
    """Do what failed in a job again.

    Makes a new job for the connections that the ended one's report names as failed.
    """
    ended = await _found(app, caller, job_id)
    key = caller.principal
    made = await app.bulk_jobs.retry(ended, caller.actor, connectors=key.connectors, owners=key.owners)
    return answer(job_answer(made), 202, location=f"/v1/jobs/{made.id}")


async def job_links(job_id: str, app: App, caller: Calling, nothing: Nothing | None = None) -> Response:
    """Get the links that a job made.

    For `reconnect_links`: one for each connection, to be sent to the person whose account it is. Links that were opened
    or have ended are None.
    """
    job = await _found(app, caller, job_id)
    made = await links_of(job, caller.actor, connections=app.connections, connect_sessions=app.connect_sessions)
    return answer(JobLinkList(data=[_link(each) for each in made]))


def _link(made: MadeLink) -> JobLinkAnswer:
    return JobLinkAnswer(
        connection=made.connection,
        session=made.session,
        connector=made.connector,
        owner=made.owner,
        name=made.name,
        url=link_text(made.link) if made.link else None,
        expires_at=maybe_time(made.link.session.expires_at if made.link else None),
    )


async def _found(app: Application, caller: Caller, job_id: str) -> Job:
    """The job, if this key may know of it."""
    job = await app.jobs.load(job_id, project=caller.principal.project)
    if job is None or (caller.principal.limited and job.created_by != caller.actor.name):
        raise NotFound("There is no such job.")
    return job


_ONE: Final = "/v1/jobs/{job_id}"
_QUEUED: Final = {
    **EXAMPLE, "state": "queued", "done": 0, "failed": 0, "total": None, "failures": {}, "report": {}, "tries": 0,
    "started_at": None, "seen_at": None,
}  # fmt: skip
OPERATIONS: Final = (
    Operation(
        "POST",
        "/v1/jobs",
        create_job,
        "admin",
        {202: JobAnswer},
        TAG,
        takes=Takes.JSON,
        problems=("not_found",),
        example={"kind": KIND, "action": "test", "filter": {"connector": "acme"}},
        answer_example=_QUEUED,
    ),
    Operation(
        "GET",
        "/v1/jobs",
        list_jobs,
        "admin",
        {200: JobList},
        TAG,
        answer_example={"data": [{**EXAMPLE, "report": {}}], "next_cursor": None},
    ),
    Operation("GET", _ONE, get_job, "admin", {200: JobAnswer}, TAG, answer_example=EXAMPLE),
    Operation(
        "POST",
        f"{_ONE}/cancel",
        cancel_job,
        "admin",
        {202: JobAnswer},
        TAG,
        answer_example={**EXAMPLE, "cancelled_by": "key:key_1"},
    ),
    Operation(
        "POST",
        f"{_ONE}/retry",
        retry_job,
        "admin",
        {202: JobAnswer},
        TAG,
        problems=("job_not_ended", "job_without_failures"),
        answer_example={**_QUEUED, "total": None},
    ),
    Operation(
        "POST",
        f"{_ONE}/links",
        job_links,
        "admin",
        {200: JobLinkList},
        TAG,
        secret=("data",),
        answer_example={
            "data": [
                {
                    "connection": "cxn_7q2",
                    "session": "ses_1",
                    "connector": "acme",
                    "owner": "user-42",
                    "name": "Ada's account",
                    "url": "https://keyturn.example/c/…",
                    "expires_at": "2030-01-31T12:30:00.000Z",
                }
            ]
        },
    ),
)
