"""Several connections, or `--all`: one action on many, as a job of the server."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Final

import click

from keyturn.cli.api_client import connect
from keyturn.cli.commands.jobs.watching import watch
from keyturn.cli.failures import OK, UNEXPECTED, Failure
from keyturn.cli.output import one_line, say, say_json, tell
from keyturn.cli.terminal import confirm
from keyturn.cli.times import moment

Command = Callable[..., Any]
_ID: Final = re.compile(r"cxn_[A-Za-z0-9_-]{1,124}")
FILTER: Final = ("connector", "owner", "state", "search", "reason")
WRONG: Final = ("error", "attention", "ends_before", "renews_before")
_FITS: frozenset[str] = frozenset({"as_json", "yes"})  # what is an option of one connection and of many


def connection_or_all(action: str, *, alone: bool = True) -> Callable[[Command], Command]:
    """Give a command of one connection the options that make it one of many.

    `alone`: one that is named by itself is left to the command; else it is a job as well.
    """

    def decorate(function: Command) -> Command:
        @wraps(function)
        def run(connections: tuple[str, ...], everyone: bool, no_watch: bool, **rest: Any) -> Any:
            which = {name: rest.pop(name) for name in FILTER} | _what_is_wrong(rest)
            if everyone == bool(connections):
                raise click.UsageError("Name connections or give --all, not both.")
            if not everyone and any(which.values()):
                options = ", ".join(f"--{name.replace('_', '-')}" for name in (*FILTER, *WRONG))
                raise click.UsageError(f"{options} go with --all.")
            if alone and len(connections) == 1:
                if no_watch:
                    raise click.UsageError("--no-watch goes with several connections, or --all.")
                return function(connection=connections[0], **rest)
            if given := [name for name, value in rest.items() if value and name not in _FITS]:
                raise click.UsageError(f"--{given[0].replace('_', '-')} goes with one connection, not with several.")
            if not all(_ID.fullmatch(each) for each in connections):
                raise click.UsageError("Several connections are named by their ids, such as cxn_7q2.")
            order = {"filter": which} if everyone else {"connections": list(connections)}
            return _bulk(action, order, no_watch=no_watch, as_json=rest["as_json"], yes=rest.get("yes", True))

        for option in (
            click.option("--no-watch", is_flag=True, help="With many: begin the job and go."),
            click.option("--renews-before", metavar="TIME", help="With --all: whose next renewal is due by then."),
            click.option(
                "--ends-before", metavar="TIME", help="With --all: that end by then, and that nothing renews."
            ),
            click.option("--attention", is_flag=True, help="With --all: active ones in which something is wrong."),
            click.option("--error", metavar="CODE", help="With --all: those with this reason, or as last failure."),
            click.option("--reason", metavar="CODE", help="With --all: those that need their person for this reason."),
            click.option("--search", metavar="TEXT", help="With --all: whose name, owner or id begins with this."),
            click.option("--state", metavar="STATE", help="With --all: those in this state."),
            click.option("--owner", metavar="OWNER", help="With --all: those of this owner."),
            click.option("--connector", metavar="CONNECTOR", help="With --all: those of this connector."),
            click.option("--all", "everyone", is_flag=True, help="Do it with many, as a job of the server."),
            click.argument("connections", metavar="[CONNECTION…]", nargs=-1),
        ):
            run = option(run)
        return run

    return decorate


def _what_is_wrong(options: dict[str, Any]) -> dict[str, Any]:
    """What was asked of these options, taken from them; nothing of those that were not given."""
    given = {name: options.pop(name) for name in WRONG}
    for name in ("ends_before", "renews_before"):
        given[name] = moment(given[name])
    return {name: value for name, value in given.items() if value}


def _bulk(action: str, order: Mapping[str, Any], *, no_watch: bool, as_json: bool, yes: bool) -> int:
    client = connect()
    if not yes:
        words = f"This ends {_which(order)}, for good."
        if not confirm(words, instead="Give --yes to disconnect without being asked."):
            raise Failure("Nothing was done.", UNEXPECTED)
    made = client.send("POST", "/v1/jobs", {"kind": "connection.bulk", "action": action, **order})
    job_id = str(made.members.get("id"))
    if not no_watch:
        code = watch(client, job_id, as_json=as_json)
        if action == "reconnect_links" and not as_json:
            tell(f"The links: keyturn job links {one_line(job_id)}")
        return code
    if as_json:
        say_json(made.document)
    else:
        say(one_line(job_id))
    return OK


def _which(order: Mapping[str, Any]) -> str:
    if "connections" in order:
        return f"{len(order['connections'])} connections"
    chosen = ", ".join(
        f"{name.replace('_', ' ')} {one_line(value)}" for name, value in order["filter"].items() if value
    )
    return f"every connection{f' ({chosen})' if chosen else ' that there is'}"
