"""`keyturn connector preview`: what a step sends, masked; of a file without a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from keyturn.cli.api_client import connect, path_of
from keyturn.cli.command import command
from keyturn.cli.commands.connector_files import read_file
from keyturn.cli.options import json_option
from keyturn.cli.output import one_line, say, say_json, show_request, styled, tell, write_styled
from keyturn.cli.words.named import named


@command("connector preview")
@click.argument("what", metavar="FILE|ID[@N]")
@click.option("--step", type=click.IntRange(1, 9), required=True, metavar="N", help="Which of the nine steps.")
@json_option
def preview(what: str, step: int, as_json: bool) -> None:
    """Nothing is sent. The request is made by the code that sends; secrets are shown by their names, as ‹password›.

    A FILE needs no server. ID is the draft on the server, ID@3 its third version.
    """
    place = named(what)
    if isinstance(place, Path):
        from keyturn.engine.builder.previews import shown_requests

        document: Mapping[str, Any] = {"step": step, "requests": shown_requests(read_file(place).connector, step)}
    else:
        query = {"step": step, "version": place.version}
        document = connect().get(path_of("connectors", place.connector, "preview"), query).members
    if as_json:
        say_json(document)
    else:
        _show(document.get("requests") or ())


def _show(requests: Sequence[Mapping[str, Any]]) -> None:
    for place, each in enumerate(requests):
        if place:
            say()
        write_styled(styled(one_line(each.get("title")), "bold"))
        request = each.get("request")
        if isinstance(request, Mapping):
            show_request(request)
        else:
            say(one_line(each.get("note")))
    if not requests:
        tell("This step sends nothing.")
