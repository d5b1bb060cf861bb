"""How long calls took, by connector and hour, added up over all processes. Promises: `tests/contracts`.

Rule: what is stored are counts between bounds, never a single call, and no name but a connector's id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias

# A connector's id, and when an hour began in Unix seconds.
ConnectorHour: TypeAlias = tuple[str, int]
# A bound in microseconds → how many calls took no longer than it, and longer than the next lower one: of the provider's
# part, of keyturn's own, and of the whole; and of the last ones, how many the API answered with 4xx and with 5xx.
Counts: TypeAlias = Mapping[int, tuple[int, int, int, int, int]]


class CallTimesStore(Protocol):
    """Counts by hour."""

    async def add(self, hours: Mapping[ConnectorHour, Counts], *, project: str = "default") -> None:
        """Add to what is stored; several processes may at one moment.

        Raises:
            StoreUnavailable: nothing was added.
        """
        ...

    async def read(self, since: int, until: int, *, project: str = "default") -> Mapping[ConnectorHour, Counts]:
        """The hours that began from `since` to before `until`, both in Unix seconds."""
        ...

    async def purge(self, *, before: int) -> int:
        """Take away hours that began before; says how many counts that were."""
        ...
