"""`keyturn log-level`: how much the server logs, now and for a while."""

from __future__ import annotations

import re
from typing import Final

import click

from keyturn.cli.api_client import connect, path_of
from keyturn.cli.command import command
from keyturn.cli.options import json_option
from keyturn.cli.output import details, say_json
from keyturn.cli.times import when

_SPAN: Final = re.compile(r"([0-9]{1,5})([smh])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
LEVELS: Final = ("debug", "info", "warning", "error")


@command("log-level")
@click.argument("level", type=click.Choice(LEVELS), required=False)
@click.option("--for", "span", metavar="TIME", help="How long: 90s, 10m, 2h; a day at most (10m).")
@json_option
def log_level(level: str | None, span: str | None, as_json: bool) -> None:
    """Without a level it says how it is. The setting's level comes back by itself, and at the server's next start.

    Of several processes behind one address, the one that answers. The log shows no secret at any level.
    """
    place = path_of("instance", "log-level")
    if level is None:
        if span is not None:
            raise click.UsageError("--for goes with a level.")
        found = connect().get(place)
    else:
        found = connect().send("PUT", place, {"level": level, "for_s": _seconds(span or "10m")})
    if as_json:
        say_json(found.document)
        return
    shown = found.members
    details([("level", shown.get("level")), ("setting", shown.get("setting")), ("until", when(shown.get("until")))])


def _seconds(span: str) -> int:
    found = _SPAN.fullmatch(span)
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 1 <= seconds <= 86_400:
        raise click.UsageError("--for takes a time such as 90s, 10m or 2h, a day at most.")
    return seconds
