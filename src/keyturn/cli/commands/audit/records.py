"""`keyturn audit list | show`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import click

from keyturn.cli.api_client import connect, path_of
from keyturn.cli.command import command
from keyturn.cli.options import json_option, page_options
from keyturn.cli.output import details, one_line, say_json, table, tell
from keyturn.cli.times import instant, when

_FILTERS: Final = ("actor", "action", "owner", "connection", "connector", "outcome")


def _filters(function: Any) -> Any:
    without = click.option("--without", multiple=True, metavar="ACTION", help="Leave this action out; again for more.")
    since = click.option("--since", metavar="TIME", help="From then on: 2030-01-31T12:00:00Z, or 30d, 12h, 15m ago.")
    until = click.option("--until", metavar="TIME", help="Before then.")
    function = without(since(until(function)))
    for name in reversed(_FILTERS):
        function = click.option(f"--{name}", metavar="TEXT", help=f"Only those with this {name}.")(function)
    return function


@command("audit list")
@_filters
@page_options
@json_option
def list_records(
    without: tuple[str, ...], since: str | None, until: str | None, limit: int | None, cursor: str | None,
    as_json: bool, **filters: str | None,
) -> None:  # fmt: skip
    """Newest first. An owner that was erased is shown as a subject id, and can be asked for by it."""
    left_out = ",".join(without) or None
    query = {
        **filters,
        "without": left_out,
        "since": instant(since),
        "until": instant(until),
        "limit": limit,
        "cursor": cursor,
    }
    found = connect().get(path_of("audit"), query)
    if as_json:
        say_json(found.document)
        return
    rows = found.rows()
    if not rows:
        tell("No record fits.")
        return
    columns = ("seq", "at", "actor", "action", "connection", "owner", "outcome")
    table(
        tuple(each.upper() for each in columns),
        [[when(row.get(name)) if name == "at" else row.get(name) for name in columns] for row in rows],
    )
    if found.members.get("next_cursor"):
        tell(f"More: --cursor {one_line(found.members['next_cursor'])}")


@command("audit show")
@click.argument("seq", metavar="SEQ", type=click.IntRange(min=1))
@json_option
def show(seq: int, as_json: bool) -> None:
    """One record with its place in the chain: the MAC of the one before it, and its own."""
    found = connect().get(path_of("audit", str(seq)))
    if as_json:
        say_json(found.document)
        return
    facts = found.members.get("facts")
    pairs = [(name.replace("_", " "), value) for name, value in found.members.items() if name != "facts"]
    more = facts.items() if isinstance(facts, Mapping) else ()
    details([*pairs, *((f"facts {one_line(name)}", json.dumps(value)) for name, value in more)])
