"""Reading the audit log, through which every door goes: that somebody reads is recorded, once an hour.

Rule 1: of each reader there is one record for each hour of UTC, whichever process answers: what is read often, as by a
program that asks each minute, drowns nothing.
Rule 2: what can't be recorded is not handed out, like everything that is audited. A read does not show its own record:
whoever looks for what was done last finds that first.
Rule 3: a connection's own timeline is read with the connection, and the head, its verdict and the figures made of it
show no record: none of them is recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from keyturn.core.audit.chain import Entry
from keyturn.core.audit.kinds import READ
from keyturn.core.audit_record import AuditRecord
from keyturn.engine.actor import Actor
from keyturn.ports.audit import AuditChain, AuditFilter
from keyturn.ports.clock import Clock
from keyturn.ports.store import AuditLog

EVERY_S: Final = 3600.0


class ReadAudit:
    """The use case. Remembers whom it noted in the hour that runs, so that most reads write nothing."""

    def __init__(self, chain: AuditChain, audit: AuditLog, clock: Clock) -> None:
        self._chain = chain
        self._audit = audit
        self._clock = clock
        self._hour = 0.0
        self._noted: set[tuple[str, str]] = set()

    async def page(
        self, which: AuditFilter, actor: Actor, *, cursor: str | None, limit: int, project: str = "default"
    ) -> tuple[Sequence[tuple[int, AuditRecord]], str | None]:
        """As the chain's. Raises StoreUnavailable, also where it can't be recorded."""
        found = await self._chain.page(which, cursor=cursor, limit=limit, project=project)
        await self._note(actor, project)
        return found

    async def entry(self, seq: int, actor: Actor, *, project: str = "default") -> Entry | None:
        """As the chain's. Raises StoreUnavailable, also where it can't be recorded."""
        found = await self._chain.entry(seq, project=project)
        await self._note(actor, project)
        return found

    async def _note(self, actor: Actor, project: str) -> None:
        now = self._clock.now()
        hour = now - now % EVERY_S
        if hour != self._hour:
            self._hour, self._noted = hour, set()
        if (project, actor.name) in self._noted:
            return
        said = AuditRecord(now, READ, actor.name, request_id=actor.request_id, project=project)
        await self._audit.append_read(said, since=hour)
        if hour == self._hour:
            self._noted.add((project, actor.name))
