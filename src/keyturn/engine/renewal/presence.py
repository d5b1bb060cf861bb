"""That this process lives, said every few seconds, and how many do: whose leases count, who shares a provider."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from keyturn.core.errors import StoreUnavailable
from keyturn.ports.clock import Clock
from keyturn.ports.renewals import BEAT_EVERY_S, Processes

log = structlog.get_logger("keyturn.processes")


class Presence:
    """The beat of one process."""

    def __init__(self, processes: Processes, clock: Clock) -> None:
        self._processes = processes
        self._clock = clock
        self._living = 1
        self._beating: asyncio.Task[None] | None = None

    @property
    def living(self) -> int:
        """How many processes lived at the last beat, this one among them."""
        return self._living

    async def start(self) -> None:
        """Begin; raises StoreUnavailable where the first beat can't be written."""
        self._living = await self._processes.beat()
        self._beating = asyncio.create_task(self._beat(), name="beat")

    async def stop(self) -> None:
        """End, and say so: what this process held is free at once."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        with suppress(StoreUnavailable):
            await self._processes.leave()

    async def _beat(self) -> None:
        while True:
            await self._clock.sleep(BEAT_EVERY_S)
            try:
                self._living = max(1, await self._processes.beat())
            except StoreUnavailable:
                log.warning("store_unavailable", work="beat")
