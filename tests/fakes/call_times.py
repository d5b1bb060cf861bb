"""How long calls took, in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from keyturn.ports.observing.call_times import ConnectorHour, Counts
from tests.fakes.database import FakeDatabase


class FakeCallTimes:
    """Promises: `tests/contracts/call_times_contract.py`."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self._rows: defaultdict[tuple[str, str, int], dict[int, tuple[int, int, int, int, int]]] = defaultdict(dict)

    async def add(self, hours: Mapping[ConnectorHour, Counts], *, project: str = "default") -> None:
        """Add to what is there."""
        await self._database.write("call_times.add")
        for (connector, begins_at), counts in hours.items():
            row = self._rows[project, connector, begins_at]
            for bound, more in counts.items():
                a, b, c, d, e = row.get(bound, (0, 0, 0, 0, 0))
                row[bound] = (a + more[0], b + more[1], c + more[2], d + more[3], e + more[4])

    async def read(self, since: int, until: int, *, project: str = "default") -> Mapping[ConnectorHour, Counts]:
        """The hours of this time."""
        await self._database.read()
        return {
            (connector, begins_at): dict(row)
            for (of, connector, begins_at), row in self._rows.items()
            if of == project and since <= begins_at < until
        }

    async def purge(self, *, before: int) -> int:
        """Take away what is older."""
        await self._database.write("call_times.purge")
        old = [key for key in self._rows if key[2] < before]
        return sum(len(self._rows.pop(key)) for key in old)
