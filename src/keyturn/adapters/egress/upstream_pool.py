"""The connections to one host, for one set of allowances and one TLS identity.

Rule 1: at most so many exist; who comes when all are busy waits, in order, and not for long.
Rule 2: the one used last is used next, so that what is not needed grows old and is closed.
Rule 3: a connection serves only calls whose connector asked for what it was made under.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from keyturn.adapters.egress.upstream_connection import UpstreamConnection
from keyturn.core.errors import ProviderUnavailable, ProviderUnreachable

Dial = Callable[["HostPool"], Awaitable[UpstreamConnection]]


class HostPool:
    """Gives connections out and takes them back. A `Keeper`."""

    def __init__(
        self, dial: Dial, on_empty: Callable[[], None], *, limit: int, wait_s: float, host_line: bytes
    ) -> None:
        self.host_line = host_line
        self.connections: set[UpstreamConnection] = set()
        self.closing = False
        self._dial = dial
        self._on_empty = on_empty
        self._limit = limit
        self._wait_s = wait_s
        self._idle: list[UpstreamConnection] = []
        self._promised = 0  # connections that exist or are being made
        self._waiting: deque[asyncio.Future[UpstreamConnection | None]] = deque()

    def idle_one(self) -> UpstreamConnection | None:
        """A connection that is free and, as far as can be told, alive."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.usable():
                return connection
            connection.abort()
        return None

    async def another(self) -> UpstreamConnection:
        """A new connection, or, where no more may exist, the next that gets free.

        Raises:
            ProviderUnavailable: none got free in time.
            ProviderUnreachable: it was closed at once.
            Others as `Dialler.dial`.
        """
        while self._promised >= self._limit:
            freed = await self._turn()
            if freed is None:
                break  # the place of one that ended
            if freed.usable():
                return freed
            freed.abort()  # it ended on its way here, and so gives its place up
        else:
            self._promised += 1
        try:
            connection = await self._dial(self)
        except BaseException:
            self._give_up_place()
            raise
        if connection.closed:
            self._give_up_place()
            raise ProviderUnreachable("the connection closed as soon as it was made")
        self.connections.add(connection)
        return connection

    def freed(self, connection: UpstreamConnection) -> None:
        """As `Keeper.freed`."""
        if self.closing:
            connection.abort()
            return
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._idle.append(connection)

    def lost(self, connection: UpstreamConnection) -> None:
        """As `Keeper.lost`."""
        if connection in self.connections:  # else it broke while it was being made, and its maker gives the place up
            self.connections.discard(connection)
            if connection in self._idle:
                self._idle.remove(connection)
            self._give_up_place()

    def drop_idle(self, unused_since: float | None = None) -> None:
        """Close the free connections, all of them or those that nothing has stirred since then."""
        for connection in tuple(self._idle):
            if unused_since is None or connection.quiet_since <= unused_since:
                self._idle.remove(connection)
                connection.abort()

    async def _turn(self) -> UpstreamConnection | None:
        """Wait for a free connection, or for a place to make one (None)."""
        waiter: asyncio.Future[UpstreamConnection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(self._wait_s):
                return await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():  # given, and nobody here to take it
                self._pass_on(waiter.result())
            if isinstance(error, TimeoutError):
                raise ProviderUnavailable("too many calls to this host are under way") from None
            raise

    def _pass_on(self, given: UpstreamConnection | None) -> None:
        if given is None:
            self._give_up_place()
        elif given.usable():
            self.freed(given)
        else:
            given.abort()

    def _give_up_place(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._promised -= 1
        if self._promised == 0:
            self._on_empty()
