"""What the in-memory stores share: one place that can go away, and the audit log that every write adds to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import StoreUnavailable


class FakeDatabase:
    """Switches for the tests of what happens when the database fails.

    `gone`: every read and write fails. `failing_writes`: so many of the next writes fail before anything is changed.
    `before_write`: called with the name of each write just before it takes effect; what it raises stops the write.
    """

    def __init__(self) -> None:
        self.gone = False
        self.failing_writes = 0
        self.before_write: Callable[[str], None] | None = None
        self.writes: list[str] = []
        self.records: list[AuditRecord] = []

    async def read(self) -> None:
        """Let others run, as waiting for a real database does; raise StoreUnavailable where it is gone."""
        await asyncio.sleep(0)
        if self.gone:
            raise StoreUnavailable("the database can't be reached")

    async def write(self, name: str) -> None:
        """As `read`, and count it. What follows this call, up to the next await, is the transaction."""
        await self.read()
        if self.failing_writes > 0:
            self.failing_writes -= 1
            raise StoreUnavailable("the database can't be written")
        if self.before_write is not None:
            self.before_write(name)
        self.writes.append(name)

    def log(self, records: Sequence[AuditRecord]) -> None:
        """Add the records of a write."""
        self.records.extend(records)


def plain_copy(value: Mapping[str, Any]) -> Any:
    """Copy by way of JSON, as a database does: nothing stays shared, and nothing that is not JSON gets in."""
    return json.loads(json.dumps(dict(value)))
