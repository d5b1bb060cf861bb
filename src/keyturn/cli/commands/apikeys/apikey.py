"""`keyturn apikey create | list | show | roll | revoke`: a new key is written alone to standard output, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import click

from keyturn.cli.api_client import Answer, connect, path_of
from keyturn.cli.command import command
from keyturn.cli.options import json_option
from keyturn.cli.output import details, one_line, say, say_json, table, tell
from keyturn.cli.times import when

SCOPES: Final = ("read", "call", "token", "connect", "login", "admin")
HOUR_S: Final = 3600

key_argument = click.argument("key_id", metavar="KEY")


@command("apikey create")
@click.argument("name", metavar="NAME")
@click.option("--scope", "scopes", type=click.Choice(SCOPES), multiple=True, required=True, help="Again for more.")
@click.option("--connector", "connectors", multiple=True, metavar="ID", help="Only this one; again for more.")
@click.option("--owner", "owners", multiple=True, metavar="OWNER", help="Only what is this one's; again for more.")
@click.option("--days", type=click.IntRange(1, 3650), help="Ends after so many days.")
@json_option
def create(
    name: str,
    scopes: tuple[str, ...],
    connectors: tuple[str, ...],
    owners: tuple[str, ...],
    days: int | None,
    as_json: bool,
) -> None:
    """The key is shown this once. Without --connector and --owner it is limited as the key that makes it."""
    body: dict[str, object] = {
        "name": name,
        "scopes": list(scopes),
        "connectors": list(connectors),
        "owners": list(owners),
    }
    if days is not None:
        ends_at = datetime.now(UTC) + timedelta(days=days)
        body["expires_at"] = ends_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    _show_new(connect().send("POST", path_of("api-keys"), body), as_json)


@command("apikey list")
@json_option
def list_keys(as_json: bool) -> None:
    """Newest first, without revoked ones. “Used” is written down once a minute at most."""
    found = connect().get(path_of("api-keys"))
    if as_json:
        say_json(found.document)
        return
    table(
        ("KEY", "NAME", "SCOPES", "LIMITED TO", "MADE", "ENDS", "USED"),
        [
            (
                row.get("id"),
                row.get("name"),
                _joined(row.get("scopes")),
                _joined([*_texts(row.get("connectors")), *_texts(row.get("owners"))]),
                when(row.get("created_at")),
                when(row.get("expires_at")),
                when(row.get("last_used_at")),
            )
            for row in found.rows()
        ],
    )


@command("apikey show")
@key_argument
@json_option
def show(key_id: str, as_json: bool) -> None:
    """Never the key itself: nobody can read that again."""
    found = connect().get(path_of("api-keys", key_id))
    if as_json:
        say_json(found.document)
        return
    row = found.members
    details(
        [
            ("key", row.get("id")),
            ("name", row.get("name")),
            ("scopes", _joined(row.get("scopes"))),
            ("connectors", _joined(row.get("connectors")) or "all"),
            ("owners", _joined(row.get("owners")) or "all"),
            ("made", when(row.get("created_at"))),
            ("made by", row.get("created_by")),
            ("ends", when(row.get("expires_at"))),
            ("used", when(row.get("last_used_at"))),
        ]
    )


@command("apikey roll")
@key_argument
@click.option("--overlap-hours", type=click.IntRange(0, 720), default=24, help="How long the old one goes on (24).")
@json_option
def roll(key_id: str, overlap_hours: int, as_json: bool) -> None:
    """The new one has the same name, scopes and limits; change over while both work. With 0 the old one ends now."""
    body = {"overlap_s": overlap_hours * HOUR_S}
    _show_new(connect().send("POST", path_of("api-keys", key_id, "roll"), body), as_json)
    if not as_json:
        tell(f"{key_id} ends in {overlap_hours} h." if overlap_hours else f"{key_id} has ended.")


@command("apikey revoke")
@key_argument
def revoke(key_id: str) -> None:
    """At once here, within a second in other processes; what it has under way is ended."""
    connect().send("DELETE", path_of("api-keys", key_id))
    tell(f"{key_id} is revoked.")


def _show_new(made: Answer, as_json: bool) -> None:
    if as_json:
        say_json(made.document)
        return
    tell(f"{one_line(made.members.get('name'))} is {one_line(made.members.get('id'))}. The key is shown this once:")
    say(one_line(made.members.get("key")))


def _texts(value: object) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


def _joined(value: object) -> str:
    return ", ".join(_texts(value))
