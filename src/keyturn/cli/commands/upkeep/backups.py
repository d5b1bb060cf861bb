"""`keyturn backup` and `keyturn restore`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from keyturn.cli.command import command
from keyturn.cli.commands.serve import usable_data
from keyturn.cli.failures import UNEXPECTED, Failure
from keyturn.cli.options import json_option
from keyturn.cli.output import details, say_json, tell
from keyturn.cli.terminal import confirm
from keyturn.cli.times import when

data_option = click.option(
    "--data", type=click.Path(path_type=Path), metavar="DIR", help="Data directory (KEYTURN_DATA)."
)
file_argument = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))


@command("backup")
@file_argument
@data_option
@json_option
def backup(file: Path, data: Path | None, as_json: bool) -> None:
    """On the server's machine; the server may run. The file is new, its owner's alone, and holds no key.

    Keep the key elsewhere: with both together, everything opens. A key service's key needs no copy.
    """
    from keyturn.bootstrap.settings import read_settings

    settings = read_settings(data=data)
    with usable_data():
        from keyturn.bootstrap.upkeep.back_up import back_up

        made = back_up(settings, file)
    if as_json:
        say_json({"file": str(made.path), "bytes": made.size, "connections": made.connections, "made_at": made.made_at})
        return
    details([("file", made.path), ("bytes", made.size), ("connections", made.connections)])
    tell("The key is not in it. Keep a copy of the key apart from this file.")


@command("restore")
@file_argument
@data_option
@click.option("--over-newer", is_flag=True, help="Also over a database in which more has happened since.")
@click.option(
    "--nothing-since",
    is_flag=True,
    help="Nothing ran on this data since the back-up was made: every token in it is the newest.",
)
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
def restore(file: Path, data: Path | None, over_newer: bool, nothing_since: bool, yes: bool, as_json: bool) -> None:
    """On the server's machine, with no server running. What was there is kept beside, under another name.

    Refresh tokens of the back-up may have been used since. They are not sent again where the provider rotates them:
    such connections are renewed with the kept password, or become uncertain. Links, challenges and console sessions of
    the back-up do not come back.
    """
    import asyncio

    from keyturn.bootstrap.settings import read_settings

    settings = read_settings(data=data)
    words = "This puts the data of the back-up in the place of what is there. Is the server stopped?"
    if not yes and not confirm(words, instead="Give --yes to restore without being asked."):
        raise Failure("Nothing was done.", UNEXPECTED)
    with usable_data():
        from keyturn.bootstrap.upkeep.back_up import restore as put_back

        done = asyncio.run(put_back(settings, file, over_newer=over_newer, nothing_since=nothing_since))
    kept = str(done.kept) if done.kept is not None else None
    if as_json:
        say_json(
            {
                "made_at": done.copy.made_at,
                "connections": done.copy.connections,
                "doubtful": done.marked,
                "api_keys": done.api_keys,
                "kept": kept,
            }
        )
        return
    details(
        [
            ("made", when(datetime.fromtimestamp(done.copy.made_at, UTC).isoformat())),
            ("connections", done.copy.connections),
            ("doubtful tokens", done.marked),
            ("earlier data", kept),
        ]
    )
    if done.api_keys:
        tell("API keys are as they were then: revoke again what was revoked since.")
