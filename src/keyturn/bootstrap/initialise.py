"""What is done on the data itself, without serving: a first start, and the first ways in.

Rule 1: the first API key is made once: where any key is good already, none is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keyturn.bootstrap.hardening import harden_process
from keyturn.bootstrap.settings import Settings
from keyturn.bootstrap.wiring import wired
from keyturn.core.access.roles import Role
from keyturn.core.redaction.known import KnownSecrets
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor

FIRST_KEY: Final = "first"
ACTOR: Final = Actor("operator")


@dataclass(frozen=True, slots=True)
class Initialised:
    """`new_key_file`: made just now, to be backed up. `api_key`: the first one; None where there was one already."""

    data: Path
    new_key_file: Path | None
    api_key: Secret | None


async def initialise(settings: Settings) -> Initialised:
    """Make what is missing; a server may be running on the same data meanwhile.

    Raises:
        SettingsInvalid, WrongKey, KeyUnavailable, StoreUnavailable: it can't be made, and why.
    """
    harden_process()
    async with wired(settings, KnownSecrets()) as up:
        keys = up.application.api_keys
        made = None
        if not await keys.list():
            _, made = await keys.create(FIRST_KEY, ["admin"], ACTOR)
        return Initialised(settings.data, up.new_key_file, made)


async def sign_in_link(settings: Settings, name: str, role: str) -> tuple[Secret, bool]:
    """A link by which a browser signs in to the console as the person with this name or id, and whether they are new.

    Raises:
        ValidationFailed: the name or the role can't be used, several people have the name, or nobody has the id.
        SettingsInvalid, WrongKey, KeyUnavailable, StoreUnavailable: the data can't be opened, and why.
    """
    harden_process()
    async with wired(settings, KnownSecrets()) as up:
        people = up.application.people
        there = await people.meant(name)
        person = there or await people.create(name, Role(role), ACTOR)
        url, _ = await people.make_link(person.id, ACTOR)
        return url, there is None
