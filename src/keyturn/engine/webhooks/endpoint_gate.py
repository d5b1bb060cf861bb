"""How hard a webhook endpoint may be asked: few deliveries at once, none while its last five failed.

Rule: this is one process's own view, of endpoints alone; what providers were asked has nothing to do with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from keyturn.core.errors import ProviderUnavailable
from keyturn.core.renewal.isolation import FAILURES_IN_A_ROW, TRIED_AGAIN_AFTER_S
from keyturn.ports.clock import Clock

AT_ONCE: Final = 8  # deliveries of an endpoint
ENDPOINTS_KEPT: Final = 4096


@dataclass(slots=True)
class _Endpoint:
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    failures: int = 0
    closed_until: float = 0.0  # monotonic
    tried: bool = False  # one tries whether it is up again
    inside: int = 0  # that have a place or wait for one


class EndpointGate:
    """Places and a breaker for each endpoint."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._endpoints: dict[str, _Endpoint] = {}

    @property
    def endpoints_known(self) -> int:
        """How many there is something to remember of."""
        return len(self._endpoints)

    @asynccontextmanager
    async def place(self, endpoint_id: str) -> AsyncIterator[None]:
        """Hold a place for one delivery; ProviderUnavailable: its last failed, or another tries whether it is up."""
        self.check(endpoint_id)
        known, trial = self._known(endpoint_id), False
        known.inside += 1
        try:
            async with known.places:
                self.check(endpoint_id)  # again: much may have happened while this one waited
                known.tried = trial = known.failures >= FAILURES_IN_A_ROW
                yield
        finally:
            known.inside -= 1
            if trial:
                known.tried = False
            if not known.inside and not known.failures:
                self._endpoints.pop(endpoint_id, None)

    def check(self, endpoint_id: str) -> None:
        """Raise as `place` would, without taking one."""
        known = self._endpoints.get(endpoint_id)
        if known is None:
            return
        left_s = known.closed_until - self._clock.monotonic()
        if left_s > 0 or known.tried:
            raise ProviderUnavailable(retry_after_s=max(left_s, 1.0) if known.tried else left_s)

    def answered(self, endpoint_id: str) -> None:
        """It took a delivery."""
        if known := self._endpoints.get(endpoint_id):
            known.failures = 0

    def failed(self, endpoint_id: str) -> None:
        """It could not be reached, or did not take one."""
        known = self._known(endpoint_id)
        known.failures += 1
        if known.failures >= FAILURES_IN_A_ROW:
            known.closed_until = self._clock.monotonic() + TRIED_AGAIN_AFTER_S

    def _known(self, endpoint_id: str) -> _Endpoint:
        """The endpoint's entry; the table is bounded, and those that nobody waits for go first, the oldest of them."""
        known = self._endpoints.pop(endpoint_id, None) or _Endpoint()
        self._endpoints[endpoint_id] = known
        if len(self._endpoints) > ENDPOINTS_KEPT:
            idle = next((name for name, each in self._endpoints.items() if not each.inside and name != endpoint_id), "")
            self._endpoints.pop(idle, None)
        return known
