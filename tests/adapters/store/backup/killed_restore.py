"""A restore that dies by kill -9 at a step of its own: `STEP SOURCE DATABASE`; run as a process by the tests."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keyturn.adapters.store.backup import restoring
from tests.adapters.store.backup.putting_back import back

STEPS = (
    "before compare",
    "before write_changes",
    "after write_changes",
    "before link",
    "after link",
    "before replace",
    "after replace",
)
_PLACES: dict[str, Any] = {
    "compare": restoring, "write_changes": restoring, "link": os, "replace": Path,
}  # fmt: skip


def dying(function: Callable[..., Any], *, first: bool) -> Callable[..., Any]:
    """The function, before or after which the process ends."""

    def body(*arguments: Any, **named: Any) -> Any:
        if not first:
            function(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    return body


def main(step: str, source: str, database: str) -> None:
    """Restore, and die."""
    when, name = step.split()
    place = _PLACES[name]
    setattr(place, name, dying(getattr(place, name), first=when == "before"))
    asyncio.run(back(Path(source), Path(database), over_newer=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
