"""`keyturn connector migrate`: a connector's connections go over to its newest version, each tested on it first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from keyturn.cli.api_client import connect, path_of
from keyturn.cli.command import command
from keyturn.cli.commands.jobs.watching import watch
from keyturn.cli.failures import OK, UNEXPECTED, Failure
from keyturn.cli.options import json_option
from keyturn.cli.output import one_line, say, say_json, styled, tell, write_styled
from keyturn.cli.terminal import confirm


@command("connector migrate")
@click.argument("connector", metavar="ID")
@click.option("--dry-run", is_flag=True, help="Say what it would do and who needs a new login; change nothing.")
@click.option("--no-watch", is_flag=True, help="Begin the job and go.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
def migrate(connector: str, dry_run: bool, no_watch: bool, yes: bool, as_json: bool) -> int:
    """Each connection's test call is sent as the newest version says; only those that pass go over.

    The others stay as they are, on their version: a reconnect moves them.
    """
    client = connect()
    path = path_of("connectors", connector, "migrate")
    plan: Mapping[str, Any] = {}
    if dry_run or not yes:
        plan = client.send("POST", path, {"dry_run": True}).members
    if dry_run and as_json:
        say_json(plan)
        return OK
    if plan:
        _show(plan, to_stdout=dry_run)
    if dry_run:
        return OK
    if not yes and not plan.get("moves"):
        return OK
    if not yes and not confirm(f"Test and move {plan['moves']} connections.", instead="Give --yes to begin."):
        raise Failure("Nothing was done.", UNEXPECTED)
    made = client.send("POST", path, {"dry_run": False})
    if not no_watch:
        return watch(client, str(made.members.get("id")), as_json=as_json)
    if as_json:
        say_json(made.document)
    else:
        say(one_line(made.members.get("id")))
    return OK


def _show(plan: Mapping[str, Any], *, to_stdout: bool) -> None:
    write = say if to_stdout else tell
    write(f"Version {plan.get('version')} is the newest; {plan.get('already')} connections use it.")
    for older in plan.get("older") or []:
        write(f"{older['connections']} are on version {older['version']}:")
        for each in older.get("changes") or []:
            place = f"step {each['step']}" if each["step"] else "connector"
            line = f"  {place}: {one_line(each['sentence'])}"
            if to_stdout:
                write_styled(f"{styled('risky', 'red') if each['risky'] else '     '}{line}")
            else:
                tell(f"{'risky' if each['risky'] else '     '}{line}")
    write(f"{plan.get('moves')} go over, if their test passes.")
    for each in plan.get("needs_login") or []:
        write(f"{each['connections']} need a new login: {one_line(each['message'])} ({each['reason']})")
