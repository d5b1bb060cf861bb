"""Connectors' quiet hours, as an operator has set them. Promises: `tests/contracts/quiet_hours_contract.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from keyturn.core.audit_record import AuditRecord
from keyturn.core.renewal.quiet_hours import QuietHours


class QuietHoursStore(Protocol):
    """One row for each connector that has some."""

    async def all(self) -> Mapping[tuple[str, str], QuietHours]:
        """(project, connector) → its quiet hours, of all projects."""
        ...

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
        """Write or, with None, take them away; False where they are so already: then nothing is recorded."""
        ...
