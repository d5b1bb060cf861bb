"""`keyturn link create`: a link by which a person connects an account."""

from __future__ import annotations

from urllib.parse import urlsplit

import click

from keyturn.cli.api_client import Answer, connect, path_of
from keyturn.cli.command import command
from keyturn.cli.options import json_option
from keyturn.cli.output import one_line, say, say_json, tell
from keyturn.cli.times import when


@command("link create")
@click.argument("connector", metavar="CONNECTOR")
@click.option("--owner", required=True, metavar="TEXT", help="Your own id for the person or tenant.")
@click.option("--return-url", metavar="URL", help="Where the person goes afterwards, with a one-time code.")
@click.option("--open", "open_it", is_flag=True, help="Open the link in a browser here.")
@json_option
def create(connector: str, owner: str, return_url: str | None, open_it: bool, as_json: bool) -> None:
    """The link opens once. With a return URL the connection takes no calls until your backend has confirmed it."""
    document = {"connector": connector, "owner": owner}
    if return_url:
        document["return_url"] = return_url
    made = connect().send("POST", path_of("connect-sessions"), document)
    show_link(made, as_json=as_json)
    url = str(made.members.get("url") or "")
    if open_it and urlsplit(url).scheme in ("http", "https"):
        click.launch(url)


def show_link(made: Answer, *, as_json: bool) -> None:
    """Write the link alone to standard output, so that it can be piped."""
    if as_json:
        say_json(made.document)
        return
    say(one_line(made.members.get("url")))
    tell(f"Works once, until {when(made.members.get('expires_at'))}. Session {one_line(made.members.get('id'))}.")
