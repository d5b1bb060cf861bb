"""The way out of a trial: the same as everybody's, watched, so that a row can tell what came back and when."""

from __future__ import annotations

from dataclasses import dataclass, field

from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.ports.clock import Clock
from keyturn.ports.egress import Egress, EgressPolicy


@dataclass(slots=True)
class WatchedEgress:
    """Sends as the egress that it stands before, and remembers the last answer."""

    egress: Egress
    clock: Clock
    answer: Answer | None = field(default=None, repr=False)
    ms: int | None = None

    async def send(self, request: OutgoingRequest, policy: EgressPolicy) -> Answer:
        """See the port."""
        began = self.clock.monotonic()
        self.answer = None
        try:
            self.answer = await self.egress.send(request, policy)
        finally:
            self.ms = round((self.clock.monotonic() - began) * 1000)
        return self.answer

    def begin(self) -> None:
        """Forget the last exchange: the next row may have none."""
        self.answer, self.ms = None, None
