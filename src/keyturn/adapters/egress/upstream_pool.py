"""The connections to one host, for one set of allowances and one TLS identity.

Rule 1: at most so many exist; who comes when all are busy waits, and not for long.
Rule 2: the one used last is used next, so that what is not needed grows old and is closed.
Rule 3: a connection serves only calls whose connector asked for what it was made under.
Rule 4: they are shared by who calls: one that has its share gets another only while many are free, so that an account
whose calls hang leaves the others of that host room; and who waits is served in turn with the others, not by number.

Source: the renewal design, "Isolation", Calls; its invariant I10.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from keyturn.adapters.egress.upstream_connection import UpstreamConnection
from keyturn.core.errors import ProviderUnavailable, ProviderUnreachable

Dial = Callable[["HostPool"], Awaitable[UpstreamConnection]]
_Waiter = asyncio.Future[UpstreamConnection | None]
_Lines = OrderedDict[str, dict[_Waiter, None]]  # by who waits, in the order in which they are served next


class HostPool:
    """Gives connections out and takes them back. A `Keeper`.

    `who`: in whose name a call is made; `held`: how many each has, those that are being made among them.
    """

    def __init__(
        self,
        dial: Dial,
        on_empty: Callable[[], None],
        *,
        limit: int,
        share: int,
        kept_free: int,
        wait_s: float,
        host_line: bytes,
    ) -> None:
        self.host_line = host_line
        self.connections: set[UpstreamConnection] = set()
        self.held: dict[str, int] = {}
        self.closing = False
        self._dial = dial
        self._on_empty = on_empty
        self._limit = limit
        self._share = share
        self._kept_free = kept_free
        self._wait_s = wait_s
        self._idle: list[UpstreamConnection] = []
        self._promised = 0  # connections that exist or are being made
        self._busy = 0  # the sum of `held`
        self._waiting: _Lines = OrderedDict()
        self._over: _Lines = OrderedDict()  # of those that had their share when last looked at

    def idle_one(self, who: str) -> UpstreamConnection | None:
        """A connection that is free and, as far as can be told, alive; None too where `who` has enough of them."""
        if not self._may_have_another(who):
            return None
        connection = self._free_and_alive()
        if connection is not None:
            self._count(who)
            connection.held_by = who
        return connection

    async def another(self, who: str) -> UpstreamConnection:
        """A new connection, or, where no more may exist, the next that gets free.

        Raises:
            ProviderUnavailable: none got free in time.
            ProviderUnreachable: it was closed at once.
            Others as `Dialler.dial`.
        """
        while self._promised >= self._limit or not self._may_have_another(who):
            given = await self._turn(who)
            if given is None:
                break  # the place of one that ended
            if given.usable():
                return given
            given.abort()  # it ended on its way here, and so gives its place up
        else:
            self._promised += 1
            self._count(who)
        try:
            connection = await self._dial(self)
        except BaseException:
            self._give_up_place(who)
            raise
        if connection.closed:
            self._give_up_place(who)
            raise ProviderUnreachable("the connection closed as soon as it was made")
        self.connections.add(connection)
        connection.held_by = who
        return connection

    def freed(self, connection: UpstreamConnection) -> None:
        """As `Keeper.freed`."""
        self._uncount(connection)
        if self.closing:
            connection.abort()
            return
        self._idle.append(connection)
        if self._waiting or self._over:
            self._serve()

    def lost(self, connection: UpstreamConnection) -> None:
        """As `Keeper.lost`."""
        if connection in self.connections:  # else it broke while it was being made, and its maker gives the place up
            self.connections.discard(connection)
            if connection in self._idle:
                self._idle.remove(connection)
            self._uncount(connection)
            self._end_place()

    def drop_idle(self, unused_since: float | None = None) -> None:
        """Close the free connections, all of them or those that nothing has stirred since then."""
        for connection in tuple(self._idle):
            if unused_since is None or connection.quiet_since <= unused_since:
                self._idle.remove(connection)
                connection.abort()

    # --- shares

    def _may_have_another(self, who: str) -> bool:
        return self.held.get(who, 0) < self._share or self._limit - self._busy > self._kept_free

    def _count(self, who: str) -> None:
        self.held[who] = self.held.get(who, 0) + 1
        self._busy += 1

    def _uncount(self, connection: UpstreamConnection) -> None:
        who = connection.held_by
        if who is not None:
            connection.held_by = None
            self._uncount_one(who)

    def _uncount_one(self, who: str) -> None:
        left = self.held[who] - 1
        self._busy -= 1
        if left:
            self.held[who] = left
        else:
            del self.held[who]
        if self._over and left < self._share and who in self._over:
            self._waiting[who] = self._over.pop(who)

    # --- who waits

    async def _turn(self, who: str) -> UpstreamConnection | None:
        """Wait for a free connection, or for a place to make one (None); it is counted when it is given."""
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        line = self._waiting.get(who) or self._over.get(who)
        if line is None:
            line = (self._waiting if self.held.get(who, 0) < self._share else self._over)[who] = {}
        line[waiter] = None
        try:
            async with asyncio.timeout(self._wait_s):
                return await waiter
        except BaseException as error:
            if not self._left(who, waiter) and waiter.done() and not waiter.cancelled():
                self._pass_on(who, waiter.result())  # given, and nobody here to take it
            if isinstance(error, TimeoutError):
                raise ProviderUnavailable("too many calls to this host are under way") from None
            raise

    def _left(self, who: str, waiter: _Waiter) -> bool:
        """Take one that gave up out of its line; False where it was served already."""
        for lines in (self._waiting, self._over):
            line = lines.get(who)
            if line is not None and waiter in line:
                self._take_out(lines, who, waiter)
                return True
        return False

    def _take_out(self, lines: _Lines, who: str, waiter: _Waiter) -> None:
        line = lines[who]
        del line[waiter]
        if not line:
            del lines[who]

    def _serve(self) -> None:
        """Give what is free, to one after the other of those that may have it."""
        while (who := self._next()) is not None:
            lines = self._waiting if who in self._waiting else self._over
            waiter = next(iter(lines[who]))
            if not waiter.done():  # else cancelled, and its task has not come to take it out
                connection = self._free_and_alive()
                if connection is not None:
                    connection.held_by = who
                elif self._promised < self._limit:
                    self._promised += 1
                else:
                    return
                self._count(who)
                waiter.set_result(connection)
            self._take_out(lines, who, waiter)
            if who in lines:
                lines.move_to_end(who)

    def _next(self) -> str | None:
        """Whose turn it is; what has its share stands aside until it gives one back or many are free."""
        while self._waiting:
            who = next(iter(self._waiting))
            if self._may_have_another(who):
                return who
            self._over[who] = self._waiting.pop(who)
        if self._over and self._limit - self._busy > self._kept_free:
            return next(iter(self._over))
        return None

    def _pass_on(self, who: str, given: UpstreamConnection | None) -> None:
        if given is None:
            self._give_up_place(who)
        elif given.usable():
            self.freed(given)
        else:
            given.abort()

    # --- places

    def _free_and_alive(self) -> UpstreamConnection | None:
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.usable():
                return connection
            connection.abort()
        return None

    def _give_up_place(self, who: str) -> None:
        self._uncount_one(who)
        self._end_place()

    def _end_place(self) -> None:
        self._promised -= 1
        if self._waiting or self._over:
            self._serve()
        if self._promised == 0:
            self._on_empty()
