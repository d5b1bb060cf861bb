"""Token sets that an earlier process, or a database that was gone, left in spill files: stored or revoked.

Rule: a file is dropped only once what it holds was stored, revoked, or belongs to nobody any more.
Source: the renewal design, "A renewal, in two commits" and "Settling the unknown".
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from keyturn.core.errors import KeyturnError
from keyturn.core.token_set import TokenSet
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.renewal.keep import KeepTokens
from keyturn.ports.store import ConnectionStore, Spill

log = structlog.get_logger("keyturn.spill")


@dataclass(frozen=True, slots=True)
class ApplySpilled:
    """The use case and what it needs."""

    connections: ConnectionStore
    published: PublishedConnectors
    spill: Spill
    keep_tokens: KeepTokens

    async def __call__(self) -> int:
        """Go through all of them; returns how many are done with. One that fails keeps none of the others back."""
        done = 0
        for connection_id, generation, token_set in await self.spill.pending():
            try:
                await self._apply(connection_id, generation, token_set)
                done += 1
            except KeyturnError as error:
                log.warning("spill_not_applied", connection=connection_id, code=error.code)
        return done

    async def _apply(self, connection_id: str, generation: int, token_set: TokenSet) -> None:
        connection = await self.connections.load(connection_id)
        if connection is None:
            log.warning("spill_of_nobody", connection=connection_id)  # erased: nothing says how to revoke it
            await self.spill.forget(connection_id, generation)
            return
        connector = await self.published.version(
            connection.connector, connection.connector_version, project=connection.project
        )
        await self.keep_tokens.apply_spilled(connection, token_set, connector, generation)
