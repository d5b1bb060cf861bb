"""A back-up made of the data, and put back into it; a server may run for the first, none for the second.

Rule: a back-up that no key at hand opens is not put back: it would be found out only at the next start.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

from keyturn.adapters.keys.key_setting import key_ring_from
from keyturn.adapters.sealing.data_keys import DataKeys
from keyturn.adapters.store.backup.making import MadeBackup, make_backup
from keyturn.adapters.store.backup.restoring import Prospect, Restored, prepared, read_copy
from keyturn.adapters.store.opening import database_path
from keyturn.bootstrap.hardening import harden_process
from keyturn.bootstrap.settings import Settings
from keyturn.bootstrap.system import SystemClock
from keyturn.core.errors import WrongKey


def back_up(settings: Settings, target: Path) -> MadeBackup:
    """Make one.

    Raises:
        SettingsInvalid, StoreUnavailable, BackupUnusable: it can't be made, and why.
    """
    harden_process()
    return make_backup(database_path(settings.data, settings.database_url), target, time.time())


async def restore(
    settings: Settings, source: Path, *, over_newer: bool, nothing_since: bool, agreed: Callable[[Prospect], bool]
) -> Restored | None:
    """Put one back, and write that into the audit log.

    Args:
        settings: where the data is.
        source: the back-up.
        over_newer, nothing_since: as `prepared`.
        agreed: asked once it is known what will happen; nothing was changed by then, and no server can start.

    Returns:
        What was done; None: it was not agreed to, and nothing was.

    Raises:
        SettingsInvalid, BackupUnusable, RestoreRefused, WrongKey, KeyUnavailable, StoreUnavailable: why it can't be.
    """
    harden_process()
    database = database_path(settings.data, settings.database_url)
    copy = await asyncio.to_thread(read_copy, source)
    for folder in (settings.data, database.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # "Something is sealed" keeps it from making a key.
    ring = key_ring_from(settings.keys, settings.data, True, environ=os.environ)
    try:
        if copy.fingerprint not in {each.fingerprint() for each in ring.held().values()}:
            raise WrongKey("no key at hand opens this back-up: put the key beside the data, or name it in KEYTURN_KEYS")
        about = prepared(source, database, DataKeys(ring), over_newer=over_newer, nothing_since=nothing_since)
        async with about as ready:
            return await ready.put_back(SystemClock()) if agreed(ready.prospect) else None
    finally:
        await ring.close()
