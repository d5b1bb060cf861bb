"""`keyturn connection stats`: a connection's calls by the hour."""

from __future__ import annotations

from keyturn.cli.api_client import connect, path_of
from keyturn.cli.command import command
from keyturn.cli.options import connection_argument, json_option
from keyturn.cli.output import say_json, table, tell
from keyturn.cli.times import when


@command("connection stats")
@connection_argument
@json_option
def stats(connection: str, as_json: bool) -> None:
    """Of the last 24 hours; an hour without a call is left out."""
    found = connect().get(path_of("connections", connection, "stats"))
    if as_json:
        say_json(found.document)
        return
    hours = found.members.get("hours")
    if not isinstance(hours, list) or not hours:
        tell("No call in the last 24 hours.")
        return
    table(
        ("HOUR FROM", "CALLS", "FAILED"),
        [(when(each.get("start")), each.get("calls"), each.get("failed")) for each in hours],
    )
