"""The audit log as lines of JSON, both chains by their numbers, with a signed checkpoint as the last one.

However long it is, it is never held whole.

Rule 1: that somebody exports is recorded before the first line goes out, and stands in the export.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from keyturn.core.audit.chain import START
from keyturn.core.audit.checkpoint import Checkpoint, Kind
from keyturn.core.audit.exported import ExportSum, entry_line
from keyturn.core.audit_record import AuditRecord
from keyturn.engine.actor import Actor
from keyturn.ports.audit import AuditChain
from keyturn.ports.clock import Clock
from keyturn.ports.store import AuditLog

BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class ExportAudit:
    """The use case and what it needs."""

    chain: AuditChain
    audit: AuditLog
    clock: Clock

    async def begin(
        self, actor: Actor, *, since: float | None = None, until: float | None = None, project: str = "default"
    ) -> AsyncIterator[bytes]:
        """Record it, and return the lines, some at a time.

        Args:
            actor: who exports.
            since, until: Unix seconds, from and before; None for all.
            project: whose records.

        Raises:
            StoreUnavailable: nothing is exported that could not be recorded.
        """
        facts = {name: value for name, value in (("since", since), ("until", until)) if value is not None}
        said = AuditRecord(
            self.clock.now(), "audit.exported", actor.name, request_id=actor.request_id, facts=facts, project=project
        )
        await self.audit.append([said])
        bounds, routine = await self.chain.bounds(), await self.chain.routine_bounds()
        first, last = min(bounds.start[0], routine.start[0]), max(bounds.head[0], routine.head[0])
        return self._lines(first, last, since, until, project)

    async def _lines(
        self, after: int, until_seq: int, since: float | None, until: float | None, project: str
    ) -> AsyncIterator[bytes]:
        added, last = ExportSum(), (0, START)
        while after < until_seq:
            found = [each for each in await self.chain.both(after, limit=BATCH) if each.seq <= until_seq]
            if not found:
                break
            after = found[-1].seq
            lines = []
            for entry in found:
                at = entry.record.at
                if entry.record.project == project and (since is None or at >= since) and (until is None or at < until):
                    lines.append(entry_line(entry))
                    added.add(lines[-1])
                    last = last if entry.routine else (entry.seq, entry.mac)
            if lines:
                yield b"".join(lines)
        end = Checkpoint(Kind.EXPORT, *last, at=self.clock.now(), entries=added.entries, digest=added.digest)
        yield (await self.chain.sign(end)).line().encode("ascii")
