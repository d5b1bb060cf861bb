"""A person asks to be erased: every connection of theirs is ended, and nothing here names them any more.

Rule 1: it may be asked for again: what is left is done, and what was done is not done twice.
Rule 2: the audit log keeps what happened, of a subject that nobody can be found by.

Source: the threat model, G1; the product, "Test, disconnect".
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, State
from keyturn.core.errors import ConnectionDisconnected, GenerationConflict, NotFound, ValidationFailed
from keyturn.core.field_values import check_owner
from keyturn.engine.actor import Actor
from keyturn.engine.revocation.disconnect import Disconnect
from keyturn.ports.audit import AuditChain
from keyturn.ports.clock import Clock
from keyturn.ports.store import ConnectionFilter, ConnectionStore

AT_ONCE: Final = 8  # a provider that hangs holds up 10 s each
PAGE: Final = 100
ROUNDS: Final = 5  # somebody may be connecting an account at the same moment


@dataclass(frozen=True, slots=True)
class Erased:
    """`connections`: how many were the owner's, tombstones too. `revocation`: what came of each → how many."""

    connections: int
    revocation: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class EraseOwner:
    """The use case and what it needs."""

    connections: ConnectionStore
    disconnect: Disconnect
    chain: AuditChain
    clock: Clock

    async def __call__(self, owner: str, actor: Actor, *, project: str = "default") -> Erased:
        """End what the owner has, and take the name out of everything.

        Raises:
            ValidationFailed: no owner can be named so.
            GenerationConflict: accounts are being connected for this owner faster than they are ended.
            StoreUnavailable, KeyUnavailable: ask again; what was ended stays ended.
        """
        if errors := check_owner(owner):
            raise ValidationFailed(errors=errors)
        ended: dict[str, Connection] = {}
        for _ in range(ROUNDS):
            for connection in await self._end_all(owner, actor, project):
                ended[connection.id] = connection
            told = Counter(str(each.revocation.get("result", "none")) for each in ended.values())
            record = AuditRecord(
                self.clock.now(),
                "owner.erased",
                actor.name,
                owner=owner,
                request_id=actor.request_id,
                facts={"connections": len(ended)},
                project=project,
            )
            await self.chain.erase(owner, records=[record], project=project)
            left = await self.connections.list(ConnectionFilter(owner=owner), cursor=None, limit=1, project=project)
            if not left.items:
                return Erased(len(ended), dict(told))
        raise GenerationConflict

    async def _end_all(self, owner: str, actor: Actor, project: str) -> list[Connection]:
        """A page is read anew each time it is worked through: ending a connection moves nothing in the list."""
        found: list[Connection] = []
        cursor: str | None = None
        failed: BaseException | None = None
        room = asyncio.Semaphore(AT_ONCE)
        while True:
            page = await self.connections.list(
                ConnectionFilter(owner=owner), cursor=cursor, limit=PAGE, project=project
            )
            ends = (self._end(each, actor, project, room) for each in page.items)
            ended = await asyncio.gather(*ends, return_exceptions=True)
            # One that can't be ended now keeps back none of the others; it is said once they are.
            failed = failed or next((each for each in ended if isinstance(each, BaseException)), None)
            found += [each for each in ended if isinstance(each, Connection)]
            cursor = page.next_cursor
            if cursor is None:
                if failed is not None:
                    raise failed
                return found

    async def _end(self, connection: Connection, actor: Actor, project: str, room: asyncio.Semaphore) -> Connection:
        if connection.state is State.DISCONNECTED:
            return connection
        async with room:
            try:
                return await self.disconnect(connection.id, actor, project=project)
            except (ConnectionDisconnected, NotFound):
                return connection  # somebody else has ended it just now
