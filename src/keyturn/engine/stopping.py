"""That this process was told to stop: from then on nothing is sent to a provider.

Rule: what sends a secret asks here last, after its intent is committed; what was not sent is then withdrawn.

Source: the renewal design, "A stop"; invariant I15.
"""

from __future__ import annotations

from collections.abc import Callable

from keyturn.core.errors import ServerStopping
from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.ports.egress import Egress, EgressPolicy


class Stopping:
    """One for each process."""

    def __init__(self) -> None:
        self._begun = False
        self._told: list[Callable[[], None]] = []

    @property
    def begun(self) -> bool:
        """Whether the stop has begun."""
        return self._begun

    def refuse(self) -> None:
        """Raise ServerStopping once the stop has begun."""
        if self._begun:
            raise ServerStopping

    def listen(self, told: Callable[[], None]) -> None:
        """Have this called when the stop begins: queues then end."""
        self._told.append(told)

    def begin(self) -> None:
        """Begin it; the second time does nothing."""
        if self._begun:
            return
        self._begun = True
        for told in self._told:
            told()


class UntilStopped:
    """An `Egress` for what carries a secret of a login: nothing leaves by it once the stop has begun."""

    def __init__(self, egress: Egress, stopping: Stopping) -> None:
        self._egress = egress
        self._stopping = stopping

    async def send(self, request: OutgoingRequest, policy: EgressPolicy) -> Answer:
        """See `Egress`; raises ServerStopping where nothing was sent."""
        self._stopping.refuse()
        return await self._egress.send(request, policy)
