"""`keyturn owner erase`."""

from __future__ import annotations

from collections.abc import Mapping

import click

from keyturn.cli.api_client import connect, path_of
from keyturn.cli.command import command
from keyturn.cli.failures import UNEXPECTED, Failure
from keyturn.cli.options import json_option
from keyturn.cli.output import details, say_json
from keyturn.cli.terminal import confirm


@command("owner erase")
@click.argument("owner", metavar="OWNER")
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
def erase(owner: str, yes: bool, as_json: bool) -> None:
    """Every connection of the owner is ended, and the name taken out of what is kept. There is no way back."""
    if not yes:
        words = "This ends all connections of this owner for good, and erases the name."
        if not confirm(words, instead="Give --yes to erase without being asked."):
            raise Failure("Nothing was done.", UNEXPECTED)
    found = connect().send("DELETE", path_of("owners", owner))
    if as_json:
        say_json(found.document)
        return
    told = found.members.get("revocation")
    pairs = told.items() if isinstance(told, Mapping) else ()
    details([("connections", found.members.get("connections")), *((f"revocation {name}", n) for name, n in pairs)])
