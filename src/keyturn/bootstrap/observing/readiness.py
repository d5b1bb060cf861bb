"""Whether requests can be served, part by part, for `/readyz`.

Rule 1: each part is `ok`, or one word for what is wrong; no path, address or name of this machine stands in it.
Rule 2: rows that are set aside are said, and make nobody unready: they are out of use themselves, and no other is.
Rule 3: it may be asked by anybody at any time, so that nothing in it costs more than a read of one row, or of the
few that are set aside: a key service is asked every few seconds at most.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from keyturn.core.errors import KeyturnError

KEYS_ASKED_EVERY_S: Final = 5.0
LEAST_FREE_BYTES: Final = 16 * 1024 * 1024  # below this, a journal may not fit any more
STALLED_AFTER_S: Final = 60.0  # it looks every second, and a look waits for nobody but the database
OK: Final = "ok"
SET_ASIDE: Final = "set_aside"  # of `rows`: some can't be read or opened; every other request can be served

Parts = dict[str, str]


def make_readiness(
    *,
    ping: Callable[[], Awaitable[None]],
    ask_keys: Callable[[], Awaitable[None]],
    tables_fit: Callable[[], Awaitable[bool]],
    scheduler_idle_s: Callable[[], float | None],
    set_aside: Callable[[], Awaitable[int]],
    unstored: Callable[[], int],
    stopping: Callable[[], bool],
    data: Path,
) -> Callable[[], Awaitable[Parts]]:
    """Build the check.

    Args:
        ping: raises StoreUnavailable where the database can't be read.
        ask_keys: raises a KeyturnError where a key can't be used.
        tables_fit: whether the tables are those of this release.
        scheduler_idle_s: how long ago the scheduler looked for what is due, seconds; None where it does not run.
        set_aside: how many rows are set aside.
        unstored: how many answers of providers the database has not taken yet.
        stopping: whether the process was told to stop.
        data: the data directory.
    """
    key_state = remembered_for(KEYS_ASKED_EVERY_S, ask_keys)

    async def readiness() -> Parts:
        if stopping():
            return {"server": "stopping"}
        parts = {"scheduler": _scheduler(scheduler_idle_s()), "disk": await asyncio.to_thread(_disk, data)}
        if unstored():
            parts["store"] = "spilling"
        try:
            await ping()
            fit = await tables_fit()
            parts["rows"] = SET_ASIDE if fit and await set_aside() else OK
        except KeyturnError as error:
            return {"database": error.code, "keys": OK, **parts}
        return {"database": OK, "migrations": OK if fit else "other_release", "keys": await key_state(), **parts}

    return readiness


def remembered_for(seconds: float, ask: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[str]]:
    """What `ask` came to, `ok` or a problem's code, asked again once it is so old."""
    found, asked_at = OK, float("-inf")

    async def state() -> str:
        nonlocal found, asked_at
        if time.monotonic() - asked_at >= seconds:
            try:
                await ask()
                found = OK
            except KeyturnError as error:
                found = error.code
            asked_at = time.monotonic()
        return found

    return state


def _scheduler(idle_s: float | None) -> str:
    if idle_s is None:
        return "stopped"
    return OK if idle_s < STALLED_AFTER_S else "stalled"


def _disk(data: Path) -> str:
    try:
        free = shutil.disk_usage(data).free
    except OSError:
        return "gone"
    return OK if free >= LEAST_FREE_BYTES else "full"
