"""What holds abuse back across processes: who is refused too often, whose logins are stopped, who asks too often.

The promises are written as tests: `tests/contracts/abuse_contract.py`. Times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from keyturn.core.access.spraying import Watched
from keyturn.core.audit_record import AuditRecord


@dataclass(frozen=True, slots=True)
class Source:
    """What logins are counted by: its kind, and a keyed hash of connector and value, never a name."""

    kind: Watched
    key: str


@dataclass(frozen=True, slots=True)
class Held:
    """No login of this source is sent for now.

    `wait_s`: until one more may be. `accounts`: how many were refused in the window. `begins`: nobody was told yet.
    """

    kind: Watched
    wait_s: float
    accounts: int
    begins: bool


class LoginEnd(Enum):
    """How a login ended, as the watch counts it."""

    REFUSED = "refused"
    PASSED = "passed"
    NEITHER = "neither"  # as if it had not been


class LoginWatch(Protocol):
    """Which accounts were refused and which got in, by source."""

    async def source_key(self, connector: str, kind: Watched, value: str, *, project: str = "default") -> str:
        """The keyed hash of a source."""
        ...

    async def admit(self, sources: Sequence[Source], account: str, *, now: float) -> Held | bool:
        """Book a login of this account before it is sent.

        Returns:
            True; or why it is held, and then nothing is booked; or False where logins under way have to end first: ask
            again in a moment. One that is under way for over 60 s (its process died) counts no more.
        """
        ...

    async def end(self, sources: Sequence[Source], account: str, how: LoginEnd, *, now: float) -> None:
        """Say how it ended."""
        ...

    async def purge(self, *, now: float) -> int:
        """Take away what counts in no window any more; returns how many."""
        ...


class LoginStops(Protocol):
    """Connectors whose logins an operator has stopped."""

    async def stopped_since(self, connector: str, *, project: str = "default") -> float | None:
        """Since when; None where its logins are sent."""
        ...

    async def all(self, *, project: str = "default") -> Mapping[str, float]:
        """Every connector whose logins are stopped → since when."""
        ...

    async def stop(
        self, connector: str, *, at: float, by: str, records: Sequence[AuditRecord] = (), project: str = "default"
    ) -> float:
        """Stop them; returns since when. Stopped already: the first time stays, and nothing is recorded."""
        ...

    async def start(self, connector: str, *, records: Sequence[AuditRecord] = (), project: str = "default") -> None:
        """Let them be sent again; nothing is recorded where they were."""
        ...


Slot = tuple[str, int]
"""A bucket (policy and subject) and the time, in whole Unix seconds, at which a window of it began."""


class RateCounts(Protocol):
    """How many requests all processes counted."""

    async def exchange(
        self, counted: Mapping[Slot, int], asked: Sequence[Slot], *, keep_until: int
    ) -> Mapping[Slot, int]:
        """Add what was counted here, and read the sums of `asked`. `keep_until`: when the new rows count no more."""
        ...

    async def purge(self, *, now: float) -> int:
        """Take away windows that count no more; returns how many."""
        ...
