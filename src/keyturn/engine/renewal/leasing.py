"""Holding a lease for as long as something takes: taken, kept alive by a heartbeat, given back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from keyturn.core.errors import StoreUnavailable
from keyturn.ports.clock import Clock
from keyturn.ports.lease import Lease

LEASE_S: Final = 15.0
HEARTBEAT_S: Final = 5.0
POLL_S: Final = 0.1


@dataclass(slots=True)
class Held:
    """A lease that is ours. `confirmed_at`: when that was last heard, monotonic."""

    name: str
    token: str
    confirmed_at: float


@dataclass(frozen=True, slots=True)
class Leasing:
    """The ports that this needs."""

    lease: Lease
    clock: Clock

    async def take(self, name: str) -> Held | None:
        """Take a lease; None where a living holder has it."""
        asked_at = self.clock.monotonic()
        token = await self.lease.acquire(name, for_s=LEASE_S)
        return None if token is None else Held(name, token, asked_at)

    async def take_within(self, name: str, wait_s: float) -> Held | None:
        """The same, and wait for whoever has it."""
        deadline = self.clock.monotonic() + wait_s
        while (held := await self.take(name)) is None and self.clock.monotonic() < deadline:
            await self.clock.sleep(POLL_S)
        return held

    def still_ours(self, held: Held) -> bool:
        """Whether it is ours yet, as far as this process can tell."""
        return self.clock.monotonic() < held.confirmed_at + LEASE_S

    async def confirm(self, held: Held) -> bool:
        """Have it for longer; False where it is no longer ours."""
        asked_at = self.clock.monotonic()
        ours = await self.lease.extend(held.name, held.token, for_s=LEASE_S)
        if ours:
            held.confirmed_at = asked_at
        return ours

    @asynccontextmanager
    async def kept(self, held: Held) -> AsyncIterator[Held]:
        """Keep it alive, and give it back at the end."""
        heartbeat = asyncio.create_task(self._beat(held))
        try:
            yield held
        finally:
            heartbeat.cancel()
            with suppress(asyncio.CancelledError):
                await heartbeat
            with suppress(StoreUnavailable):  # it lapses by itself
                await self.lease.release(held.name, held.token)

    async def _beat(self, held: Held) -> None:
        while True:
            await self.clock.sleep(HEARTBEAT_S)
            with suppress(StoreUnavailable):
                await self.confirm(held)
