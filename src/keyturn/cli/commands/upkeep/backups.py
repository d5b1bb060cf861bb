"""`keyturn backup` and `keyturn restore`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from keyturn.cli.command import command
from keyturn.cli.commands.serve import usable_data
from keyturn.cli.failures import UNEXPECTED, Failure
from keyturn.cli.options import json_option
from keyturn.cli.output import details, say_json, tell
from keyturn.cli.terminal import can_ask, confirm
from keyturn.cli.times import when

_COMPARED: Final = {
    "newer": "the database that is here",
    "older": "the database that is here, which is older",
    "forked": "the database that is here, which went on from an older back-up",
    "absent": "nothing: no database is here",
    "unreadable": "nothing: the database that is here can't be read",
    "newer_release": "nothing: a newer release of keyturn wrote the database that is here",
    "other_key": "nothing: the database that is here has another key",
    "other_data": "nothing: the database that is here is another installation's",
}
_COUNTS: Final = (
    ("unused", "unused since"),
    ("taken_over", "taken over as they are now"),
    ("doubtful", "doubtful tokens"),
    ("ended", "ended since, and stay so"),
    ("created", "created since, and brought along"),
    ("left_out", "created since, and left out"),
)
_OF_DOUBT: Final = (
    "A doubtful token may have been used since. It is not sent again unless that is harmless: the kept password is\n"
    "used, or the person has to sign in again. If nothing ran since the back-up was made, give --nothing-since."
)
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

    Each connection is compared with the database that is there. Unused refresh tokens stay, newer ones are taken over,
    and what ended since stays ended. Where that database can't tell, a refresh token may have been used since: it is
    not sent again where the provider rotates. Such connections are renewed with the kept password, or become uncertain.

    You see how many there are of each before you are asked. Links, challenges and console sessions of the back-up do
    not come back.
    """
    import asyncio

    from keyturn.bootstrap.settings import read_settings

    settings = read_settings(data=data)
    instead = "Give --yes to restore without being asked."
    if not (yes or can_ask()):
        raise click.UsageError(f"There is no terminal to ask on. {instead}")

    def agreed(prospect: Any) -> bool:
        if yes:
            return True
        tell("\n".join(_in_words(prospect)))
        return confirm("This puts the data of the back-up in the place of what is there.", instead=instead)

    with usable_data():
        from keyturn.bootstrap.upkeep.back_up import restore as put_back

        choices = {"over_newer": over_newer, "nothing_since": nothing_since}
        restored = asyncio.run(put_back(settings, file, **choices, agreed=agreed))
    if restored is None:
        raise Failure("Nothing was done.", UNEXPECTED)
    done, kept = restored.done, str(restored.kept) if restored.kept is not None else None
    if as_json:
        say_json(
            {
                "made_at": done.copy.made_at,
                "connections": done.copy.connections,
                "compared": done.compared.value,
                **{name: getattr(done, name) for name, _ in _COUNTS},
                "api_keys": restored.api_keys,
                "kept": kept,
            }
        )
        return
    details(
        [
            ("made", _made(done)),
            ("connections", done.copy.connections),
            ("compared with", _COMPARED[done.compared.value]),
            *((words, getattr(done, name)) for name, words in _COUNTS),
            ("earlier data", kept),
        ]
    )
    if done.left_out:
        tell("What was created since and could not be brought along is in the earlier data alone.")
    if restored.api_keys:
        tell("API keys are as they were then: revoke again what was revoked since.")


def _in_words(prospect: Any) -> list[str]:
    """What will happen, one line each."""
    lines = [
        f"The back-up of {_made(prospect)} has {prospect.copy.connections} connections.",
        f"It was compared with {_COMPARED[prospect.compared.value]}.",
    ]
    lines += [f"{getattr(prospect, name):>6} {words}" for name, words in _COUNTS if getattr(prospect, name)]
    if prospect.doubtful:
        lines.append(_OF_DOUBT)
    return lines


def _made(done: Any) -> str:
    return when(datetime.fromtimestamp(done.copy.made_at, UTC).isoformat())
