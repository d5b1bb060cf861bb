"""What happens by itself: renewals ahead of their time, revocations, and the small writes that can wait.

Rule: this loop only looks at what is due and hands it on; it decides nothing, and no failure ends it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from keyturn.core.connection import Connection
from keyturn.core.errors import KeyturnError, StoreUnavailable
from keyturn.core.renewal_window import IDLE_AFTER_S
from keyturn.engine.calls import Calls
from keyturn.engine.renew import Renewals
from keyturn.engine.revoke import Revoke
from keyturn.ports.clock import Clock
from keyturn.ports.store import ConnectionStore

LOOK_EVERY_S: Final = 1.0
FLUSH_EVERY_S: Final = 30.0
PURGE_EVERY_S: Final = 3600.0
TOMBSTONES_FOR_S: Final = 30 * 86_400.0
AT_ONCE: Final = 64

log = structlog.get_logger("keyturn.scheduler")


class Scheduler:
    """The loops of one process."""

    def __init__(
        self, connections: ConnectionStore, renewals: Renewals, revoke: Revoke, calls: Calls, clock: Clock
    ) -> None:
        self._connections = connections
        self._renewals = renewals
        self._revoke = revoke
        self._calls = calls
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin; needs a running event loop."""
        self._loops = [
            asyncio.create_task(self._every(LOOK_EVERY_S, self.renew_due), name="renewals due"),
            asyncio.create_task(self._every(LOOK_EVERY_S, self._revoke_due), name="revocations due"),
            asyncio.create_task(self._every(FLUSH_EVERY_S, self._calls.flush_uses), name="uses"),
            asyncio.create_task(self._every(PURGE_EVERY_S, self._purge), name="tombstones"),
        ]

    async def stop(self) -> None:
        """Begin nothing new; what is under way ends by itself."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self._calls.flush_uses()

    async def renew_due(self) -> None:
        """Start a renewal for each connection that is due, as many at once as there is room for."""
        room = AT_ONCE - len(self._tasks)
        if room <= 0:
            return
        for connection in await self._connections.due(self._clock.now(), limit=room):
            if self._renewals.running(connection.id) or connection.paused or connection.unconfirmed:
                continue
            if self._idle(connection):
                continue
            task = asyncio.create_task(self._renew(connection), name=f"scheduled {connection.id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _idle(self, connection: Connection) -> bool:
        """Nobody used it for 30 days: it is renewed when somebody does."""
        used = max(connection.last_used_at or 0.0, connection.created_at)
        return connection.intent is None and connection.refreshable and self._clock.now() - used > IDLE_AFTER_S

    async def _renew(self, connection: Connection) -> None:
        try:
            await self._renewals.renew(connection.id, generation=connection.generation, project=connection.project)
        except KeyturnError as error:
            log.info("renewal_not_made", connection=connection.id, connector=connection.connector, code=error.code)

    async def _revoke_due(self) -> None:
        await self._revoke.due()

    async def _purge(self) -> None:
        await self._connections.purge(disconnected_before=self._clock.now() - TOMBSTONES_FOR_S)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except StoreUnavailable:
                log.warning("store_unavailable", work=work.__name__)
            except Exception:
                log.exception("round_failed", work=work.__name__)
            await self._clock.sleep(seconds)
