"""`keyturn connector diff`: what a file changes of the version that is published, in sentences and as text."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from keyturn.cli.api_client import connect, path_of
from keyturn.cli.command import command
from keyturn.cli.commands.connector_files import read_file
from keyturn.cli.failures import USAGE, Failure
from keyturn.cli.options import json_option
from keyturn.cli.output import one_line, say, say_json, styled, tell, write_styled


@command("connector diff")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.argument("connector", required=False, metavar="[ID]")
@json_option
def diff(file: Path, connector: str | None, as_json: bool) -> None:
    """What could hurt somebody stands first. ID: where the file's own id differs. Nothing is stored."""
    from keyturn.bootstrap.offline import read_connector_text
    from keyturn.core.building.changes import changes
    from keyturn.core.building.corrections import correction_sentence, only_advice_differs

    read = read_file(file)
    found = connect().get(path_of("connectors", connector or read.connector.id)).members
    version = found.get("version")
    if not isinstance(version, Mapping):
        raise Failure("Nothing of this connector is published yet; there is nothing to compare with.", USAGE)
    source = str(version.get("source", ""))
    old = read_connector_text(source)
    said = changes(old, read.connector)
    number = version.get("version")
    correction = None
    if isinstance(number, int) and only_advice_differs(old, read.connector):
        correction = correction_sentence(old, read.connector, number)
    lines = list(
        difflib.unified_diff(source.splitlines(), read.text.decode("utf-8-sig").splitlines(), lineterm="", n=3)
    )[2:]
    if as_json:
        rows: list[dict[str, Any]] = [{"step": e.step, "risky": e.risky, "sentence": e.sentence} for e in said]
        say_json({"version": number, "changes": rows, "text": lines, "correction": correction})
        return
    if correction is not None:
        tell(correction)
    for each in said:
        place = f"step {each.step}" if each.step else "connector"
        mark = styled("risky", "red") if each.risky else "     "
        write_styled(f"{mark}  {place}: {one_line(each.sentence)}")
    if not said:
        tell("The file means the same as the published version.")
    for line in lines:
        say(line)
