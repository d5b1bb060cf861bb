"""`keyturn connector quiet-hours`."""

from __future__ import annotations

from typing import Any

import click

from keyturn.cli.api_client import connect, path_of
from keyturn.cli.command import command
from keyturn.cli.options import json_option
from keyturn.cli.output import one_line, say, say_json, tell
from keyturn.cli.times import when


@command("connector quiet-hours")
@click.argument("connector", metavar="ID")
@click.option("--from", "begins", metavar="HH:MM", help="When a window begins, by the clock of --zone.")
@click.option("--to", "ends", metavar="HH:MM", help="When it ends; on the next day where that is not after --from.")
@click.option("--days", metavar="DAYS", help="On which days it begins: mon-fri, or sat,sun. All where not given.")
@click.option("--zone", metavar="ZONE", help="The time zone by its IANA name, such as Europe/Berlin.")
@click.option("--strict", is_flag=True, help="No renewal at all, not even for a call that needs one.")
@click.option("--add", is_flag=True, help="Keep the windows that are there, and add this one.")
@click.option("--clear", is_flag=True, help="Take the quiet hours back.")
@json_option
def quiet_hours(
    connector: str,
    begins: str | None,
    ends: str | None,
    days: str | None,
    zone: str | None,
    strict: bool,
    add: bool,
    clear: bool,
    as_json: bool,
) -> None:
    """In these times its provider is sent nothing that can wait: no renewal ahead of time, no login with a kept
    password, no bulk test or renewal, no further try of a revocation. Without options, they are shown.
    """
    client, path = connect(), path_of("connectors", connector, "quiet-hours")
    given = (begins, ends, days, zone, strict or None, add or None)
    if clear:
        if any(each is not None for each in given):
            raise click.UsageError("--clear takes no other option.")
        client.send("DELETE", path)
        tell(f"{connector} has no quiet hours.")
        return
    if any(each is not None for each in given):
        if begins is None or ends is None or (zone is None and not add):
            raise click.UsageError("Give --from, --to and --zone.")
        kept = client.send("GET", path).members if add else {}
        found = client.send("PUT", path, _order(_window(begins, ends, days), zone, strict, kept))
    else:
        found = client.send("GET", path)
    if as_json:
        say_json(found.document)
        return
    _show(connector, found.members)


def _window(begins: str, ends: str, days: str | None) -> dict[str, Any]:
    from keyturn.core.renewal.quiet_hours import days_in

    return {"from": begins, "to": ends} | ({} if days is None else {"days": days_in(days)})


def _order(window: dict[str, Any], zone: str | None, strict: bool, kept: Any) -> dict[str, Any]:
    return {
        "zone": zone or kept.get("zone") or "",
        "windows": [*kept.get("windows", ()), window],
        "strict": strict or bool(kept.get("strict")),
    }


def _show(connector: str, members: Any) -> None:
    windows = members.get("windows") or ()
    if not windows:
        tell(f"{connector} has no quiet hours.")
        return
    for each in windows:
        days = "every day" if len(each["days"]) == 7 else " ".join(each["days"])
        say(one_line(f"{each['from']}-{each['to']}  {days}  {members.get('zone')}"))
    if members.get("strict"):
        tell("Strict: a call that needs a renewal is refused as well.")
    if members.get("quiet_until") is not None:
        tell(f"They last until {when(members.get('quiet_until'))}.")
