"""Leases in memory."""

from __future__ import annotations

from tests.fakes.clock import FakeClock
from tests.fakes.database import FakeDatabase


class FakeLease:
    """Promises: `tests/contracts/lease_contract.py`."""

    def __init__(self, database: FakeDatabase, clock: FakeClock) -> None:
        self._database = database
        self._clock = clock
        self._held: dict[str, tuple[str, float]] = {}
        self._taken = 0

    async def acquire(self, connection_id: str, *, for_s: float) -> str | None:
        """Take it, if nobody has it."""
        await self._database.write("leases.acquire")
        if self.is_held(connection_id):
            return None
        self._taken += 1
        token = f"lease-{self._taken}"
        self._held[connection_id] = (token, self._clock.monotonic() + for_s)
        return token

    async def extend(self, connection_id: str, token: str, *, for_s: float) -> bool:
        """Hold on to it."""
        await self._database.write("leases.extend")
        if not self.is_held(connection_id) or self._held[connection_id][0] != token:
            return False
        self._held[connection_id] = (token, self._clock.monotonic() + for_s)
        return True

    async def release(self, connection_id: str, token: str) -> None:
        """Give it back."""
        await self._database.write("leases.release")
        if connection_id in self._held and self._held[connection_id][0] == token:
            del self._held[connection_id]

    def hold(self, name: str, for_s: float) -> None:
        """Take it within another write."""
        self._taken += 1
        self._held[name] = (f"lease-{self._taken}", self._clock.monotonic() + for_s)

    def drop(self, name: str) -> None:
        """Give it back within another write."""
        self._held.pop(name, None)

    def is_held(self, connection_id: str) -> bool:
        """Whether anybody has it now."""
        return connection_id in self._held and self._held[connection_id][1] > self._clock.monotonic()

    def holder_dies(self) -> None:
        """End every lease, as the death of the process that held them does."""
        self._held.clear()
