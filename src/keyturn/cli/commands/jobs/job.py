"""`keyturn job list | show | links | watch | cancel | retry`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from keyturn.cli.api_client import connect, path_of
from keyturn.cli.command import command
from keyturn.cli.commands.jobs.watching import show_end, watch
from keyturn.cli.failures import OK
from keyturn.cli.options import json_option, page_options
from keyturn.cli.output import details, one_line, say, say_json, state_words, table, tell
from keyturn.cli.times import when

job_argument = click.argument("job", metavar="JOB")
no_watch_option = click.option("--no-watch", is_flag=True, help="Begin it and go.")


@command("job list")
@click.option("--kind", metavar="KIND", help="Those of one kind, such as connection.bulk.")
@click.option("--state", metavar="STATE", help="queued, running, done, failed or cancelled.")
@page_options
@json_option
def list_jobs(kind: str | None, state: str | None, limit: int | None, cursor: str | None, as_json: bool) -> None:
    """Newest first; what recurs, such as taking old tombstones away, is among them."""
    found = connect().get("/v1/jobs", {"kind": kind, "state": state, "limit": limit, "cursor": cursor})
    if as_json:
        say_json(found.document)
        return
    table(
        ("JOB", "WHAT", "STATE", "DONE", "FAILED", "TOTAL", "CREATED"),
        [
            (
                row.get("id"),
                _what(row),
                state_words(str(row.get("state"))),
                row.get("done"),
                row.get("failed"),
                row.get("total"),
                when(row.get("created_at")),
            )
            for row in found.rows()
        ],
    )
    if found.members.get("next_cursor"):
        tell(f"More: --cursor {one_line(found.members['next_cursor'])}")


@command("job show")
@job_argument
@json_option
def show(job: str, as_json: bool) -> None:
    """Show how far a job is, and which connections failed in it."""
    found = connect().get(path_of("jobs", job))
    if as_json:
        say_json(found.document)
        return
    _show(found.members)


@command("job links")
@job_argument
@json_option
def links(job: str, as_json: bool) -> None:
    """Each is for one person, works once, and is good for 30 minutes after it was made.

    Written as two lines: whose it is, then the link, whole however narrow the terminal is.
    """
    found = connect().send("POST", path_of("jobs", job, "links"))
    if as_json:
        say_json(found.document)
        return
    for row in found.rows():
        whose = f"{one_line(row.get('connection'))}  {one_line(row.get('owner'))}"
        if row.get("url"):
            say(f"{whose}  until {when(row.get('expires_at'))}\n  {one_line(row['url'])}")
        else:
            say(f"{whose}  opened, or ended")
    if not found.rows():
        tell("This job made no link.")


@command("job watch")
@job_argument
@json_option
def watch_job(job: str, as_json: bool) -> int:
    """Follow a job to its end. Leaving (Ctrl-C) does not end it."""
    return watch(connect(), job, as_json=as_json)


@command("job cancel")
@job_argument
@json_option
def cancel(job: str, as_json: bool) -> None:
    """One that runs ends between two connections; what it did stays done. One that has ended stays as it is."""
    found = connect().send("POST", path_of("jobs", job, "cancel"))
    if as_json:
        say_json(found.document)
        return
    details([(one_line(found.members.get("id")), state_words(str(found.members.get("state"))))])
    if found.members.get("state") == "running":
        tell(f"It ends at its next step: keyturn job watch {one_line(found.members.get('id'))}")


@command("job retry")
@job_argument
@no_watch_option
@json_option
def retry(job: str, no_watch: bool, as_json: bool) -> int:
    """Make a new job for the connections that failed in this one, and follow it."""
    client = connect()
    made = client.send("POST", path_of("jobs", job, "retry"))
    job_id = str(made.members.get("id"))
    if not no_watch:
        return watch(client, job_id, as_json=as_json)
    if as_json:
        say_json(made.document)
    else:
        say(one_line(job_id))
    return OK


def _what(job: Mapping[str, Any]) -> str:
    """The action and its filter, or the kind of what recurs."""
    chosen = job.get("filter")
    given = [(name, value) for name, value in chosen.items() if value] if isinstance(chosen, Mapping) else []
    words = [name if value is True else str(value) for name, value in given]
    if job.get("connections"):
        words.append(f"{job['connections']} named")
    return " ".join([str(job.get("action") or job.get("kind")), *words])


def _show(job: Mapping[str, Any]) -> None:
    details(
        [
            ("job", job.get("id")),
            ("what", _what(job)),
            ("state", state_words(str(job.get("state")))),
            ("total", job.get("total")),
            ("created", when(job.get("created_at"))),
            ("by", job.get("created_by")),
            ("ended", when(job.get("ended_at"))),
            ("last error", job.get("last_error")),
        ]
    )
    say()
    show_end(job)
    report = job.get("report")
    failed = report.get("failed") if isinstance(report, Mapping) else None
    rows = [each for each in failed if isinstance(each, Mapping)] if isinstance(failed, list) else []
    if rows:
        say()
        table(("CONNECTION", "FAILED WITH"), [(row.get("connection"), row.get("code")) for row in rows])
    if isinstance(report, Mapping) and report.get("left_off"):
        tell(f"and {one_line(report['left_off'])} more")
