"""`keyturn key …`: the keys that wrap all others. No command shows or takes one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from keyturn.cli.api_client import ApiClient, connect, path_of
from keyturn.cli.command import command
from keyturn.cli.commands.serve import usable_data
from keyturn.cli.failures import UNEXPECTED, Failure
from keyturn.cli.options import json_option
from keyturn.cli.output import details, one_line, say, say_json, table, tell
from keyturn.cli.terminal import confirm
from keyturn.cli.times import when

LOOK_EVERY_S: Final = 1.0
_OPEN: Final = ("queued", "running")

key_argument = click.argument("key_id", metavar="KEY")


@command("key status")
@json_option
def status(as_json: bool) -> None:
    """A key that wraps nothing more may be retired. “here” says whether the server that answers can use it."""
    found = connect().get(path_of("keys"))
    if as_json:
        say_json(found.document)
        return
    columns = ("key", "state", "provider", "here", "data keys", "added", "current since")
    table(
        columns,
        [
            (
                row.get("id"),
                row.get("state"),
                row.get("provider"),
                row.get("at_hand"),
                row.get("data_keys"),
                when(row.get("added_at")),
                when(row.get("current_at")),
            )
            for row in found.rows()
        ],
    )
    if (backup := found.members.get("backup_made_at")) is not None:
        tell(f"Last back-up by “keyturn backup”: {when(backup)}.")
    rotation = found.members.get("rotation")
    if isinstance(rotation, Mapping):
        tell(f"Rotation {one_line(rotation.get('job_id'))}: {_progress(rotation)}.")


@command("key add")
@click.option(
    "--file", "path", type=click.Path(path_type=Path), metavar="PATH", help="Make a key file here, without a server."
)
@json_option
def add(path: Path | None, as_json: bool) -> None:
    """It is a standby: back it up, then rotate to it. With --file, name the file in KEYTURN_KEYS afterwards."""
    if path is not None:
        from keyturn.bootstrap.key_files import new_key_file

        key_id = new_key_file(path)
        if as_json:
            say_json({"id": key_id, "file": str(path)})
            return
        say(key_id)
        tell(f"Back {path} up, name it in KEYTURN_KEYS behind the others (…,file:{path}), start every process again,")
        tell(f"then: keyturn key rotate {key_id}")
        return
    made = connect().send("POST", path_of("keys"))
    if as_json:
        say_json(made.document)
        return
    key_id = one_line(made.members.get("id"))
    say(key_id)
    tell("The file lies in the server's data directory, named by these digits. Back it up, apart from the data.")
    tell(f"Then: keyturn key rotate {key_id}")


@command("key rotate")
@key_argument
@click.option("--watch", is_flag=True, help="Wait until all data keys are moved.")
@json_option
def rotate(key_id: str, watch: bool, as_json: bool) -> None:
    """New data keys are wrapped by it at once; those that are there are moved meanwhile calls and renewals go on."""
    client = connect()
    begun = client.send("POST", path_of("keys", key_id, "rotate"))
    rotation: Mapping[str, Any] = begun.members.get("rotation") or {}
    if watch:
        rotation = _watched(client, rotation)
    if as_json:
        say_json({**begun.members, "rotation": dict(rotation)})
    else:
        details([("current", key_id), ("rotation", rotation.get("job_id")), ("progress", _progress(rotation))])
    if watch and rotation.get("state") != "done":
        raise Failure("The rotation did not come to its end; rotating to the same key again goes on.", UNEXPECTED)


@command("key retire")
@key_argument
@json_option
def retire(key_id: str, as_json: bool) -> None:
    """Refused while it wraps anything. Keep it as long as you keep a back-up that was made before."""
    found = connect().send("POST", path_of("keys", key_id, "retire"))
    if as_json:
        say_json(found.document)
        return
    details([("key", found.members.get("id")), ("state", found.members.get("state"))])
    tell("A server starts without it now. Back-ups that were made before still need it.")


@command("key declare-lost")
@key_argument
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR", help="Data directory (KEYTURN_DATA).")
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
def declare_lost(key_id: str, data: Path | None, yes: bool, as_json: bool) -> None:
    """On the server's machine, with no server running. Its connections need their persons again (key_lost)."""
    import asyncio

    from keyturn.bootstrap.settings import read_settings

    settings = read_settings(data=data)
    words = "This destroys everything that was sealed under this key, for good. Is there no copy of it anywhere?"
    if not yes and not confirm(words, instead="Give --yes to give it up without being asked."):
        raise Failure("Nothing was done.", UNEXPECTED)
    with usable_data():
        from keyturn.bootstrap.key_files import declare_key_lost

        counts, made = asyncio.run(declare_key_lost(settings, key_id))
    if made is not None:
        tell(f"A new key file was made: {made}. Back it up, apart from the data: without it nothing opens.")
    if as_json:
        say_json({"id": key_id, "state": "lost", "given_up": dict(counts)})
        return
    details([("key", key_id), ("state", "lost"), *sorted(counts.items())])


@command("key destroy-passwords")
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
def destroy_passwords(yes: bool, as_json: bool) -> None:
    """Tokens stay as long as they live. Back-ups that were made before still hold the passwords, sealed."""
    words = (
        "This destroys every kept password and TOTP seed. Connections that only a password can renew will need their"
        " persons."
    )
    if not yes and not confirm(words, instead="Give --yes to destroy them without being asked."):
        raise Failure("Nothing was done.", UNEXPECTED)
    found = connect().send("POST", path_of("keys", "destroy-passwords"))
    if as_json:
        say_json(found.document)
        return
    seeds = found.members.get("totp_seeds_destroyed")
    details([("passwords destroyed", found.members.get("passwords_destroyed")), ("TOTP seeds destroyed", seeds)])


def _watched(client: ApiClient, rotation: Mapping[str, Any]) -> Mapping[str, Any]:
    shown = ""
    while rotation.get("state") in _OPEN:
        time.sleep(LOOK_EVERY_S)
        found = client.get(path_of("keys")).members.get("rotation")
        rotation = found if isinstance(found, Mapping) else {}
        if _progress(rotation) != shown:
            shown = _progress(rotation)
            tell(shown)
    return rotation


def _progress(rotation: Mapping[str, Any]) -> str:
    total = rotation.get("total")
    of = f" of {one_line(total)}" if total is not None else ""
    return f"{one_line(rotation.get('state'))}, {one_line(rotation.get('done'))}{of} data keys moved"
