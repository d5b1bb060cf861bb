"""`keyturn connection list | show | why | events`: looking, and changing nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from keyturn.cli.api_client import connect, path_of
from keyturn.cli.command import command
from keyturn.cli.options import connection_argument, json_option, page_options
from keyturn.cli.output import details, one_line, say, say_json, state_words, styled, table, tell, write_styled
from keyturn.cli.times import when

STATES = ("active", "uncertain", "needs_reconnect", "disconnecting", "disconnected", "paused", "unconfirmed")


@command("connection list")
@click.option("--connector", metavar="ID", help="Only those of this connector.")
@click.option("--owner", metavar="TEXT", help="Only those of this owner.")
@click.option("--state", type=click.Choice(STATES), metavar="STATE", help=f"One of {', '.join(STATES)}.")
@click.option("--reason", metavar="CODE", help="Only those that need their person for this reason.")
@click.option("--search", metavar="TEXT", help="Only those whose name, owner or id begins with it.")
@page_options
@json_option
def list_connections(
    connector: str | None, owner: str | None, state: str | None, reason: str | None, search: str | None,
    limit: int | None, cursor: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Newest first."""
    query = {
        "connector": connector, "owner": owner, "state": state, "reason": reason, "search": search,
        "limit": limit, "cursor": cursor,
    }  # fmt: skip
    found = connect().get(path_of("connections"), query)
    if as_json:
        say_json(found.document)
        return
    rows = found.rows()
    if not rows:
        tell("No connection. “keyturn link create CONNECTOR --owner OWNER” makes a link to connect one.")
        return
    table(
        ("ID", "STATE", "NAME", "CONNECTOR", "OWNER"),
        [
            (row.get("id"), state_words(str(row.get("state"))), row.get("name"), row.get("connector"), row.get("owner"))
            for row in rows
        ],
    )
    if found.members.get("next_cursor"):
        tell(f"More: --cursor {one_line(found.members['next_cursor'])}")


@command("connection show")
@connection_argument
@json_option
def show(connection: str, as_json: bool) -> None:
    """No secret is shown, only what is kept and until when."""
    found = connect().get(path_of("connections", connection))
    show_connection(found.members, as_json=as_json)


def show_connection(document: Mapping[str, Any], *, as_json: bool) -> None:
    """Write a connection for people, or as it was answered."""
    if as_json:
        say_json(document)
        return
    tested = document.get("last_test")
    pairs: list[tuple[str, object]] = [
        ("id", document.get("id")),
        ("state", state_words(str(document.get("state")))),
        ("name", document.get("name")),
        ("connector", f"{document.get('connector')}, version {document.get('connector_version')}"),
        ("owner", document.get("owner")),
        ("account", document.get("unique_id")),
        ("generation", document.get("generation")),
        ("token ends", when(document.get("expires_at"))),
        *([("refresh token ends", when(ends))] if (ends := document.get("refresh_expires_at")) else []),
        ("renews", when(document.get("renews_at"))),
        ("last test", _verdict(tested) if isinstance(tested, Mapping) else None),
        ("last used", when(document.get("last_used_at"))),
    ]
    pairs += [(name.replace("_", " "), document[name]) for name in ("reason", "last_error") if document.get(name)]
    details(pairs)
    for what, kept in _kept(document.get("stored")):
        until = f", until {when(kept['until'])}" if kept.get("until") else ""
        say(f"{'kept':<11} {one_line(what)}, {'sealed' if kept.get('sealed') else 'plain'}{until}")


def _kept(stored: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What is kept of a connection, name by name; fields last."""
    for name, kept in stored.items() if isinstance(stored, Mapping) else ():
        if name == "fields" and isinstance(kept, Mapping):
            yield from ((f"field {key}", each) for key, each in kept.items() if isinstance(each, Mapping))
        elif isinstance(kept, Mapping):
            yield name.replace("_", " "), kept


@command("connection why")
@connection_argument
@json_option
def why(connection: str, as_json: bool) -> None:
    """State, cause, whose move it is, and what is tried next."""
    found = connect().get(path_of("connections", connection, "why"))
    if as_json:
        say_json(found.document)
        return
    members = found.members
    code = f"  {one_line(members['code'])}" if members.get("code") else ""
    write_styled(state_words(str(members.get("state"))) + styled(code, "dim"))
    say(one_line(members.get("text")))
    say(f"whose move: {one_line(members.get('who')).replace('_', ' ')}")
    following = members.get("next")
    if isinstance(following, Mapping):
        at = f"  {when(following['at'])}" if following.get("at") else ""
        say(f"next: {one_line(following.get('text'))}{at}")


@command("connection events")
@connection_argument
@page_options
@json_option
def events(connection: str, limit: int | None, cursor: str | None, as_json: bool) -> None:
    """Newest first."""
    found = connect().get(path_of("connections", connection, "events"), {"limit": limit, "cursor": cursor})
    if as_json:
        say_json(found.document)
        return
    table(
        ("WHEN", "WHAT", "OUTCOME", "BY"),
        [(when(row.get("at")), row.get("action"), row.get("outcome"), row.get("actor")) for row in found.rows()],
    )
    if found.members.get("next_cursor"):
        tell(f"More: --cursor {one_line(found.members['next_cursor'])}")


def _verdict(tested: Mapping[str, Any]) -> str:
    outcome = "passed" if tested.get("passed") else f"failed: {tested.get('code')}"
    status = f", HTTP {tested['status']}" if tested.get("status") else ""
    return f"{outcome}{status}, {when(tested.get('at'))}"
