"""`keyturn link create | list | revoke`: links by which a person connects an account."""

from __future__ import annotations

from urllib.parse import urlsplit

import click

from keyturn.cli.api_client import Answer, connect, path_of
from keyturn.cli.command import command
from keyturn.cli.options import json_option, page_options, spoken_to, spoken_to_options
from keyturn.cli.output import one_line, say, say_json, table, tell
from keyturn.cli.times import when


@command("link create")
@click.argument("connector", metavar="CONNECTOR")
@click.option("--owner", required=True, metavar="TEXT", help="Your own id for the person or tenant.")
@click.option("--return-url", metavar="URL", help="Where the person goes afterwards, with a one-time code.")
@spoken_to_options
@click.option("--qr", is_flag=True, help="Draw the link as a QR code as well, beside standard output.")
@click.option("--open", "open_it", is_flag=True, help="Open the link in a browser here.")
@json_option
def create(
    connector: str,
    owner: str,
    return_url: str | None,
    app_name: str | None,
    owner_label: str | None,
    qr: bool,
    open_it: bool,
    as_json: bool,
) -> None:
    """The link opens once. With a return URL the connection takes no calls until your backend has confirmed it."""
    document = {"connector": connector, "owner": owner}
    document |= spoken_to(return_url, app_name, owner_label)
    made = connect().send("POST", path_of("connect-sessions"), document)
    show_link(made, as_json=as_json)
    url = str(made.members.get("url") or "")
    if qr and url:
        from keyturn.web.kit.drawing.qr_code import qr_lines

        for line in qr_lines(url):
            tell(line)
    if open_it and urlsplit(url).scheme in ("http", "https"):
        click.launch(url)


def show_link(made: Answer, *, as_json: bool) -> None:
    """Write the link alone to standard output, so that it can be piped."""
    if as_json:
        say_json(made.document)
        return
    say(one_line(made.members.get("url")))
    tell(f"Works once, until {when(made.members.get('expires_at'))}. Session {one_line(made.members.get('id'))}.")


@command("link list")
@click.option("--connector", metavar="CONNECTOR", help="Only links for this connector.")
@click.option("--owner", metavar="TEXT", help="Only links of this owner.")
@click.option("--state", type=click.Choice(("open", "claimed")), help="Not opened by anybody yet, or opened.")
@page_options
@json_option
def list_links(
    connector: str | None, owner: str | None, state: str | None, limit: int | None, cursor: str | None, as_json: bool
) -> None:
    """Those that wait for their person, newest first. A link itself is shown only when it is made."""
    query = {"connector": connector, "owner": owner, "state": state, "limit": limit, "cursor": cursor}
    found = connect().get(path_of("connect-sessions"), query)
    if as_json:
        say_json(found.document)
        return
    rows = found.rows()
    if not rows:
        tell("No link waits for anybody.")
        return
    table(
        ("ID", "OWNER", "CONNECTOR", "FOR", "OPENED", "ENDS"),
        [
            (
                row.get("id"), row.get("owner"), row.get("connector"), row.get("reconnects") or "a new connection",
                "yes" if row.get("state") == "claimed" else "no", when(row.get("expires_at")),
            )
            for row in rows
        ],
    )  # fmt: skip
    if found.members.get("next_cursor"):
        tell(f"More: --cursor {one_line(found.members['next_cursor'])}")


@command("link revoke")
@click.argument("session", metavar="SESSION")
@json_option
def revoke(session: str, as_json: bool) -> None:
    """The link leads nowhere afterwards; what it has led to already stays."""
    connect().send("DELETE", path_of("connect-sessions", session))
    if as_json:
        say_json({"id": session, "state": "revoked"})
    else:
        tell("Taken back.")
