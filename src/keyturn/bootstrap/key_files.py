"""What is done about keys without a server: a key file made, a lost key given up."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from keyturn.adapters.keys.key_file import make_key_file
from keyturn.adapters.store.opening import knows_key
from keyturn.bootstrap.hardening import harden_process
from keyturn.bootstrap.settings import Settings
from keyturn.bootstrap.wiring import wired
from keyturn.core.errors import NotFound, SettingsInvalid
from keyturn.core.redaction.known import KnownSecrets
from keyturn.engine.actor import Actor
from keyturn.engine.keys.declare_lost import DeclareLost

ACTOR = Actor("operator")


def new_key_file(path: Path) -> str:
    """Make a key file, for its owner alone; returns the key's id.

    Raises:
        SettingsInvalid: something is there already, or it can't be written.
    """
    harden_process()
    if path.exists():
        raise SettingsInvalid(f"{path} is there already; a key file is never written over")
    return make_key_file(path).key_id


async def declare_key_lost(settings: Settings, key_id: str) -> tuple[Mapping[str, int], Path | None]:
    """Give up what a key had sealed; where no key is left in the data directory, a new one is made.

    Returns:
        How many things of each kind were given up, and the key file that was made, which has to be backed up.

    Raises:
        NotFound: the database knows no such key; nothing was made or changed.
        KeyStateConflict: the key is at hand.
        SettingsInvalid, KeyUnavailable, StoreUnavailable: it can't be opened, and why.
    """
    harden_process()
    if not await knows_key(settings.data, settings.database_url, key_id):
        raise NotFound("The database knows no such key.")
    async with wired(settings, KnownSecrets(), lost_key=key_id) as up:
        declare = DeclareLost(up.stores.lost_keys, up.stores.audit, up.application.clock)
        return await declare(key_id, ACTOR), up.new_key_file
