"""`keyturn init`: the first start without serving."""

from __future__ import annotations

from pathlib import Path

import click

from keyturn.cli.command import command
from keyturn.cli.commands.serve import usable_data
from keyturn.cli.output import say, tell


@command("init")
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR", help="Data directory (KEYTURN_DATA).")
def init(data: Path | None) -> None:
    """The API key is the only line on standard output, is shown this once, and has the scope admin.

    A second time it says that it is so already and makes no key. `keyturn serve` needs no init before it.
    """
    import asyncio

    from keyturn.bootstrap.settings import read_settings

    settings = read_settings(data=data)
    with usable_data():
        from keyturn.bootstrap.initialise import initialise

        made = asyncio.run(initialise(settings))
    tell(f"Data directory: {made.data}")
    if made.new_key_file is not None:
        tell(f"Key file:       {made.new_key_file}  (new)")
        tell("Back the key file up, apart from the data: without it nothing opens.")
    if made.api_key is None:
        tell("It is so already: there is an API key, and none was made.")
        return
    tell("The first API key, shown this once; put it into KEYTURN_API_KEY:")
    say(made.api_key.reveal())
