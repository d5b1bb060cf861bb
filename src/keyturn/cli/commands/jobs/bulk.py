"""`--all`: one action on many connections, as a job of the server."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from keyturn.cli.api_client import connect
from keyturn.cli.commands.jobs.watching import watch
from keyturn.cli.failures import OK, UNEXPECTED, Failure
from keyturn.cli.output import one_line, say, say_json
from keyturn.cli.terminal import confirm

Command = Callable[..., Any]
_FITS: frozenset[str] = frozenset({"as_json", "yes"})  # what is an option of one connection and of many


def connection_or_all(action: str) -> Callable[[Command], Command]:
    """Give a command of one connection the options that make it one of many."""

    def decorate(function: Command) -> Command:
        @wraps(function)
        def run(
            connection: str | None,
            everyone: bool,
            connector: str | None,
            owner: str | None,
            state: str | None,
            no_watch: bool,
            **rest: Any,
        ) -> Any:
            which = {"connector": connector, "owner": owner, "state": state}
            if not everyone:
                if connection is None:
                    raise click.UsageError("Name a connection, or give --all.")
                if any(which.values()) or no_watch:
                    raise click.UsageError("--connector, --owner, --state and --no-watch go with --all.")
                return function(connection=connection, **rest)
            if connection is not None:
                raise click.UsageError("Name a connection or give --all, not both.")
            if alone := [name for name, value in rest.items() if value and name not in _FITS]:
                raise click.UsageError(f"--{alone[0].replace('_', '-')} goes with one connection, not with --all.")
            return _bulk(action, which, no_watch=no_watch, as_json=rest["as_json"], yes=rest.get("yes", True))

        for option in (
            click.option("--no-watch", is_flag=True, help="With --all: begin the job and go."),
            click.option("--state", metavar="STATE", help="With --all: those in this state."),
            click.option("--owner", metavar="OWNER", help="With --all: those of this owner."),
            click.option("--connector", metavar="CONNECTOR", help="With --all: those of this connector."),
            click.option("--all", "everyone", is_flag=True, help="Do it with many, as a job of the server."),
            click.argument("connection", metavar="[CONNECTION]", required=False),
        ):
            run = option(run)
        return run

    return decorate


def _bulk(action: str, which: dict[str, str | None], *, no_watch: bool, as_json: bool, yes: bool) -> int:
    client = connect()
    if not yes:
        chosen = ", ".join(f"{name} {one_line(value)}" for name, value in which.items() if value)
        words = f"This ends every connection{f' ({chosen})' if chosen else ' that there is'}, for good."
        if not confirm(words, instead="Give --yes to disconnect without being asked."):
            raise Failure("Nothing was done.", UNEXPECTED)
    body = {"kind": "connection.bulk", "action": action, "filter": which}
    made = client.send("POST", "/v1/jobs", body)
    job_id = str(made.members.get("id"))
    if not no_watch:
        return watch(client, job_id, as_json=as_json)
    if as_json:
        say_json(made.document)
    else:
        say(one_line(job_id))
    return OK
