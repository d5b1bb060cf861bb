"""`keyturn config list`: the settings that a server runs with."""

from __future__ import annotations

from typing import Final

import click

from keyturn.cli.api_client import connect, path_of
from keyturn.cli.command import command
from keyturn.cli.options import json_option
from keyturn.cli.output import say_json, table

_ORIGINS: Final = {"default": "default", "environment": "environment", "file": "a file", "start": "the start command"}


@command("config list")
@click.option("--origins", is_flag=True, help="Say where each came from.")
@json_option
def list_settings(origins: bool, as_json: bool) -> None:
    """Asks the server. Of a setting that may hold a secret, only whether it is set."""
    found = connect().get(path_of("instance", "settings"))
    if as_json:
        say_json(found.document)
        return
    rows = []
    for row in found.rows():
        hidden = row.get("value") is None
        value = ("set, not shown" if hidden else row.get("value")) if row.get("is_set") else "not set"
        source = str(row.get("source"))
        rows.append((row.get("name"), value, *([_ORIGINS.get(source, source)] if origins else [])))
    table(("SETTING", "VALUE", *(["COMES FROM"] if origins else [])), rows)
