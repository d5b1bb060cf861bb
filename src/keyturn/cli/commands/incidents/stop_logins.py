"""`keyturn connector stop-logins | start-logins`."""

from __future__ import annotations

import click

from keyturn.cli.api_client import connect, path_of
from keyturn.cli.command import command
from keyturn.cli.options import json_option
from keyturn.cli.output import say_json, tell
from keyturn.cli.times import when

connector_argument = click.argument("connector", metavar="ID")


@command("connector stop-logins")
@connector_argument
@json_option
def stop_logins(connector: str, as_json: bool) -> None:
    """No password goes out for it, typed or kept, from any process. Refreshes and calls go on."""
    found = connect().send("POST", path_of("connectors", connector, "stop-logins"))
    if as_json:
        say_json(found.document)
        return
    tell(f"Logins of {connector} are stopped since {when(found.members.get('logins_stopped_since'))}.")
    tell(f"Start them again: keyturn connector start-logins {connector}")


@command("connector start-logins")
@connector_argument
@json_option
def start_logins(connector: str, as_json: bool) -> None:
    """Connections that waited for their kept password are renewed within a few minutes."""
    found = connect().send("POST", path_of("connectors", connector, "start-logins"))
    if as_json:
        say_json(found.document)
        return
    tell(f"Logins of {connector} are sent again.")
