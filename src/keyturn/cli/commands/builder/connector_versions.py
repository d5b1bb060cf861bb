"""`keyturn connector versions | rollback`: what was published, and the way back to it."""

from __future__ import annotations

import click

from keyturn.cli.api_client import connect, path_of
from keyturn.cli.command import command
from keyturn.cli.commands.connector import publish_draft, tell_published
from keyturn.cli.options import json_option, page_options
from keyturn.cli.output import one_line, say, say_json, table, tell
from keyturn.cli.times import when


@command("connector versions")
@click.argument("connector", metavar="ID")
@page_options
@json_option
def versions(connector: str, limit: int | None, cursor: str | None, as_json: bool) -> None:
    """Newest first. “connector show ID@N --yaml” writes the text of one."""
    found = connect().get(path_of("connectors", connector, "versions"), {"limit": limit, "cursor": cursor})
    if as_json:
        say_json(found.document)
        return
    rows = found.rows()
    if not rows:
        tell("Nothing of this connector is published yet.")
        return
    table(
        ("VERSION", "PUBLISHED", "DIGEST"),
        [(row.get("version"), when(row.get("published_at")), str(row.get("digest"))[:12]) for row in rows],
    )
    if found.members.get("next_cursor"):
        tell(f"More: --cursor {one_line(found.members['next_cursor'])}")


@command("connector rollback")
@click.argument("connector", metavar="ID")
@click.argument("version", type=click.IntRange(1), metavar="N")
@click.option("--publish", "publish_it", is_flag=True, help="Publish it as well, as the next version.")
@json_option
def rollback(connector: str, version: int, publish_it: bool, as_json: bool) -> None:
    """Makes version N's text the draft, in the place of what the draft says. Published versions stay as they are."""
    client = connect()
    drafted = client.send("POST", path_of("connectors", connector, "versions", str(version), "rollback"))
    published = publish_draft(client, connector) if publish_it else None
    if as_json:
        say_json({"connector": drafted.document, "published": published.document if published else None})
        return
    say(f"{connector}: the draft says what version {version} says")
    if published is not None:
        tell_published(connector, published)
    else:
        tell(f"Next: keyturn connector diff {connector}, then keyturn connector publish {connector}")
