"""keyturn whose rotations take long: `python tests/faults/slow_rotation_server.py HOLD --data DIR --listen HOST:PORT`.

Two data keys are moved at a time, and a quarter of a second passes between. While the file HOLD exists this process
runs no jobs. One whose process died is taken up after three seconds.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

from keyturn.bootstrap.assembly import Ports
from keyturn.bootstrap.runtimes import prepare_process, run, serve
from keyturn.bootstrap.settings import read_settings
from keyturn.engine.jobs import run_jobs, running_job
from keyturn.engine.keys import rewrap


class Slow:
    """Stands before the custody of keys."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def rewrap(self, place: str, **more: Any) -> Any:
        """Take one's time."""
        await asyncio.sleep(0.25)
        return await self._inner.rewrap(place, **more)


class Held:
    """Stands before the queue of jobs."""

    def __init__(self, inner: Any, hold: Path) -> None:
        self._inner = inner
        self._hold = hold

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def claim(self, **more: Any) -> Any:
        """Claim nothing while it is held."""
        return () if self._hold.exists() else await self._inner.claim(**more)


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("hold", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--listen", required=True)
    given = parser.parse_args()
    for module, name, value in (
        (rewrap, "AT_ONCE", 2),
        (running_job, "HEARTBEAT_S", 0.5),
        (run_jobs, "ABANDONED_AFTER_S", 3.0),
    ):
        setattr(module, name, value)

    def slow(ports: Ports) -> Ports:
        return replace(ports, keys=Slow(ports.keys), jobs=Held(ports.jobs, given.hold))

    settings = read_settings(data=given.data, listen=given.listen)
    run(serve(settings, prepare_process(settings), wrap=slow))


if __name__ == "__main__":
    main()
