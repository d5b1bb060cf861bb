"""`keyturn connector diff`: what a file, a draft or a version changes of a version, in sentences and as text."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from keyturn.cli.api_client import ApiClient, connect, path_of
from keyturn.cli.command import command
from keyturn.cli.commands.connector_files import read_file
from keyturn.cli.failures import USAGE, Failure
from keyturn.cli.options import json_option
from keyturn.cli.output import one_line, say, say_json, styled, tell, write_styled
from keyturn.cli.words.named import Named, named, on_server


@command("connector diff")
@click.argument("what", metavar="FILE|ID[@N]")
@click.argument("other", required=False, metavar="[ID[@N]]")
@json_option
def diff(what: str, other: str | None, as_json: bool) -> None:
    """What the first changes of the second: of the newest version, or for ID@3 of version 2, where none is named.

    A FILE is read here, and nothing of it is stored; ID is the draft. What could hurt somebody stands first.
    """
    first, second = named(what), on_server(other) if other is not None else None
    client = connect()
    if isinstance(first, Path):
        found = _of_file(client, first, second)
    else:
        if second is not None and (second.version is None or second.connector != first.connector):
            raise click.UsageError("What is compared with is a version of the same connector, such as acme@2.")
        query = {"new": first.version, "old": second.version if second is not None else None}
        found = client.get(path_of("connectors", first.connector, "diff"), query).members
    if as_json:
        say_json(found)
    else:
        _show(found)


def _of_file(client: ApiClient, file: Path, second: Named | None) -> Mapping[str, Any]:
    """The same, of a text that is on this machine only."""
    from keyturn.bootstrap.offline import read_connector_text
    from keyturn.core.building.changes import changes
    from keyturn.core.building.corrections import correction_sentence, only_advice_differs

    read = read_file(file)
    base = second or Named(read.connector.id)
    version: object
    if base.version is not None:
        version = client.get(path_of("connectors", base.connector, "versions", str(base.version))).members
    else:
        version = client.get(path_of("connectors", base.connector)).members.get("version")
    if not isinstance(version, Mapping):
        raise Failure("Nothing of this connector is published yet; there is nothing to compare with.", USAGE)
    source = str(version.get("source", ""))
    old, number = read_connector_text(source), version.get("version")
    correction = None
    if isinstance(number, int) and only_advice_differs(old, read.connector):
        correction = correction_sentence(old, read.connector, number)
    new_lines = read.text.decode("utf-8-sig").splitlines()
    said = changes(old, read.connector)
    return {
        "version": number,
        "changes": [{"step": each.step, "risky": each.risky, "sentence": each.sentence} for each in said],
        "text": list(difflib.unified_diff(source.splitlines(), new_lines, lineterm="", n=3))[2:],
        "correction": correction,
    }


def _show(found: Mapping[str, Any]) -> None:
    if found.get("correction"):
        tell(one_line(found["correction"]))
    said = [each for each in found.get("changes") or () if isinstance(each, Mapping)]
    for each in said:
        place = f"step {each.get('step')}" if each.get("step") else "connector"
        mark = styled("risky", "red") if each.get("risky") else "     "
        write_styled(f"{mark}  {place}: {one_line(each.get('sentence'))}")
    if not said:
        tell("Both mean the same.")
    for line in found.get("text") or ():
        say(str(line))
