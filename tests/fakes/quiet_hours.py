"""Quiet hours in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keyturn.core.audit_record import AuditRecord
from keyturn.core.renewal.quiet_hours import QuietHours
from tests.fakes.database import FakeDatabase


class FakeQuietHoursStore:
    """Promises: `tests/contracts/quiet_hours_contract.py`."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self._rows: dict[tuple[str, str], QuietHours] = {}

    async def all(self) -> Mapping[tuple[str, str], QuietHours]:
        """Of all projects."""
        await self._database.read()
        return dict(self._rows)

    async def put(
        self,
        connector: str,
        hours: QuietHours | None,
        *,
        at: float,
        by: str,
        records: Sequence[AuditRecord] = (),
        project: str = "default",
    ) -> bool:
        """Write or take away."""
        await self._database.write("quiet_hours.put")
        if self._rows.get((project, connector)) == hours:
            return False
        if hours is None:
            del self._rows[project, connector]
        else:
            self._rows[project, connector] = hours
        self._database.log(records)
        return True
