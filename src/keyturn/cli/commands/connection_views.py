"""`keyturn connection list | show | why | events`: looking, and changing nothing."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from keyturn.cli.api_client import connect, path_of
from keyturn.cli.command import command
from keyturn.cli.options import connection_argument, json_option, page_options
from keyturn.cli.output import Styled, details, one_line, say, say_json, state_words, styled, table, tell, write_styled
from keyturn.cli.times import moment, when

KINDS = ("renewals", "calls", "failures", "changes")
STATES = ("active", "uncertain", "needs_reconnect", "disconnecting", "disconnected", "paused", "unconfirmed")


@command("connection list")
@click.option("--connector", metavar="ID", help="Only those of this connector.")
@click.option("--owner", metavar="TEXT", help="Only those of this owner.")
@click.option("--state", type=click.Choice(STATES), metavar="STATE", help=f"One of {', '.join(STATES)}.")
@click.option("--reason", metavar="CODE", help="Only those that need their person for this reason.")
@click.option("--error", metavar="CODE", help="Only those with this reason, or with this as their last failure.")
@click.option("--attention", is_flag=True, help="Only active ones in which something is wrong.")
@click.option("--ends-before", metavar="TIME", help="Only those that end by then, and that nothing renews.")
@click.option("--renews-before", metavar="TIME", help="Only those whose next renewal is due by then.")
@click.option("--search", metavar="TEXT", help="Only those whose name, owner or id begins with it.")
@click.option("--calls", is_flag=True, help="Also their calls of the last 24 hours.")
@page_options
@json_option
def list_connections(
    connector: str | None, owner: str | None, state: str | None, reason: str | None, error: str | None,
    attention: bool, ends_before: str | None, renews_before: str | None, search: str | None, calls: bool,
    limit: int | None, cursor: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Newest first."""
    query = {
        "connector": connector, "owner": owner, "state": state, "reason": reason, "error": error,
        "attention": "true" if attention else None, "ends_before": moment(ends_before),
        "renews_before": moment(renews_before), "search": search, "calls": "true" if calls else None,
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
    columns: dict[str, Sequence[object]] = {
        "ID": [row.get("id") for row in rows],
        "STATE": [_state(row) for row in rows],
        **{name.upper(): [row.get(name) for row in rows] for name in ("name", "connector", "owner")},
    }
    if calls:
        columns["CALLS, 24 H"] = [_called(row.get("calls")) for row in rows]
    if any(whys := [_why(row) for row in rows]):
        columns["WHY"] = whys
    table(tuple(columns), list(zip(*columns.values(), strict=True)))
    if found.members.get("next_cursor"):
        tell(f"More: --cursor {one_line(found.members['next_cursor'])}")


def _state(row: Mapping[str, Any]) -> Styled:
    return state_words("attention" if row.get("attention") else str(row.get("state")))


def _called(hours: object) -> str:
    """How many calls these hours have, and how many of them failed."""
    found = [each for each in hours if isinstance(each, Mapping)] if isinstance(hours, list) else []
    number, failed = (sum(int(each.get(name) or 0) for each in found) for name in ("calls", "failed"))
    return f"{number}, {failed} failed" if failed else str(number or "none")


def _why(row: Mapping[str, Any]) -> object:
    """The code that stands in the way, if any does."""
    tested = row.get("last_test")
    failed = tested.get("cause") or tested.get("code") if isinstance(tested, Mapping) else None
    soon = "expires_soon" if row.get("expires_soon") else None
    return row.get("reason") or row.get("last_error") or (failed if row.get("attention") else None) or soon or ""


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
        ("state", _state(document)),
        *([("since", when(since))] if (since := document.get("state_since")) else []),
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
        told = f"{one_line(following['at_is'])}: " if following.get("at_is") else ""
        at = f"  {told}{when(following['at'])}" if following.get("at") else ""
        say(f"next: {one_line(following.get('text'))}{at}")


@command("connection events")
@connection_argument
@click.option("--kind", type=click.Choice(KINDS), metavar="KIND", help=f"One of {', '.join(KINDS)}.")
@click.option("--calls", is_flag=True, help="Also the calls, folded by the hour; an hour stands where it began.")
@page_options
@json_option
def events(
    connection: str, kind: str | None, calls: bool, limit: int | None, cursor: str | None, as_json: bool
) -> None:
    """Newest first."""
    query = {"kind": kind, "calls": "true" if calls else None, "limit": limit, "cursor": cursor}
    found = connect().get(path_of("connections", connection, "events"), query)
    if as_json:
        say_json(found.document)
        return
    hours = found.members.get("hours")
    told = [(str(row.get("at")), (row.get("action"), row.get("outcome"), row.get("actor"))) for row in found.rows()]
    counted = [_hour(each) for each in hours if isinstance(each, Mapping)] if isinstance(hours, list) else []
    # The server's order, of which each list has its part: what began later stands above.
    rows = heapq.merge(told, counted, key=lambda each: each[0], reverse=True)
    table(("WHEN", "WHAT", "OUTCOME", "BY"), [(when(at), *words) for at, words in rows])
    if found.members.get("next_cursor"):
        tell(f"More: --cursor {one_line(found.members['next_cursor'])}")


def _hour(row: Mapping[str, Any]) -> tuple[str, tuple[object, object, object]]:
    number, failed = row.get("calls"), row.get("failed")
    words = f"{number} call{'' if number == 1 else 's'} in this hour"
    return str(row.get("start")), (words, f"{failed} failed" if failed else "ok", None)


def _verdict(tested: Mapping[str, Any]) -> str:
    outcome = "passed" if tested.get("passed") else f"failed: {tested.get('cause') or tested.get('code')}"
    status = f", HTTP {tested['status']}" if tested.get("status") else ""
    return f"{outcome}{status}, {when(tested.get('at'))}"
