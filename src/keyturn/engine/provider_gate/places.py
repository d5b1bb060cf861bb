"""A host's places, and who waits for one: who is waited for by a call first, then connector by connector.

Rule 1: a place is what a hang can cost. Who has none holds no lease, no intent and no row.
Rule 2: a connector takes no more than its own share, and all together no more than the largest share among them.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable

from keyturn.core.errors import KeyturnError
from keyturn.engine.provider_gate.asking import Asking


class Place:
    """One that is had, or waited for. Two of them are never equal."""

    __slots__ = ("_on_sending", "asking", "forced", "granted")

    def __init__(self, asking: Asking, on_sending: Callable[[Asking], None], *, forced: bool = False) -> None:
        self.asking = asking
        self.forced = forced
        self.granted: asyncio.Future[None] | None = None
        self._on_sending = on_sending

    def sending(self) -> None:
        """Say that the request leaves now: from here on it counts how long the host lets it wait."""
        self._on_sending(self.asking)


class Places:
    """Those of one class of requests to one host."""

    def __init__(self) -> None:
        self.room: int | None = None  # how many may be in use while the host recovers
        self._total = 0
        self._inside: dict[str, int] = {}  # by connector
        self._shares: dict[str, int] = {}  # of connectors that have a place or wait for one
        self._on_demand: OrderedDict[str, deque[Place]] = OrderedDict()
        self._scheduled: OrderedDict[str, deque[Place]] = OrderedDict()

    @property
    def unused(self) -> bool:
        """Whether nobody has a place or waits for one."""
        return not self._shares

    @property
    def in_use(self) -> int:
        """How many have one."""
        return self._total

    def enter(self, connector: str, share: int) -> bool:
        """Take a place at once, if there is one and nobody waits."""
        self._shares[connector] = share
        if not self._on_demand and not self._scheduled and self._fits(connector):
            self._take(connector)
            return True
        return False

    def wait(self, place: Place, *, on_demand: bool) -> asyncio.Future[None]:
        """Queue; the future ends when the place is had, or with why it can't be."""
        queue = self._on_demand if on_demand else self._scheduled
        place.granted = asyncio.get_running_loop().create_future()
        queue.setdefault(place.asking.connector, deque()).append(place)
        return place.granted

    def leave(self, connector: str) -> None:
        """Give a place back."""
        self._total -= 1
        self._inside[connector] -= 1
        if not self._inside[connector]:
            del self._inside[connector]
        self._forget_share(connector)

    def serve(self, admit: Callable[[Place], KeyturnError | None]) -> None:
        """Give free places to those that wait; `admit` says why one may not be asked for now, where that is so."""
        self._serve(self._on_demand, admit)
        self._serve(self._scheduled, admit)

    def turn_away(self, why: Callable[[Place], KeyturnError | None]) -> None:
        """End the wait of all those for which there is a reason."""
        for queue in (self._on_demand, self._scheduled):
            for connector, waiting in list(queue.items()):
                left: deque[Place] = deque()
                for place in waiting:
                    error = None if place.granted is None or place.granted.done() else why(place)
                    if error is not None and place.granted is not None:
                        place.granted.set_exception(error)
                    elif place.granted is not None and not place.granted.done():
                        left.append(place)
                if left:
                    queue[connector] = left
                else:
                    del queue[connector]
                    self._forget_share(connector)

    def grow(self) -> None:
        """Let a host that recovers have one more for each that it answered: 1, 2, 4, 8 at once, and then all."""
        if self.room is not None:
            self.room += 1
            if self.room >= max(self._shares.values(), default=0):
                self.room = None

    def _serve(self, queue: OrderedDict[str, deque[Place]], admit: Callable[[Place], KeyturnError | None]) -> None:
        passed_over = 0
        while queue and passed_over < len(queue):
            connector = next(iter(queue))
            queue.move_to_end(connector)
            if not self._fits(connector):
                passed_over += 1
                continue
            waiting, passed_over = queue[connector], 0
            place = waiting.popleft()
            if not waiting:
                del queue[connector]
            if place.granted is None or place.granted.done():  # whoever waited was cancelled
                self._forget_share(connector)
            elif (error := admit(place)) is not None:
                place.granted.set_exception(error)
                self._forget_share(connector)
            else:
                self._take(connector)
                place.granted.set_result(None)

    def _fits(self, connector: str) -> bool:
        if self._inside.get(connector, 0) >= self._shares[connector]:
            return False
        most = max(self._shares.values())
        return self._total < (most if self.room is None else min(most, self.room))

    def _take(self, connector: str) -> None:
        self._total += 1
        self._inside[connector] = self._inside.get(connector, 0) + 1

    def _forget_share(self, connector: str) -> None:
        """Forget the share of a connector that has no place and waits for none."""
        if connector in self._inside or connector in self._on_demand or connector in self._scheduled:
            return
        self._shares.pop(connector, None)
