"""Destroying every kept TOTP seed: what a kept password is worth less without.

1. Each connection that keeps sealed fields, and whose connector has a field that takes a seed.
2. Its fields are opened and sealed anew without the seed; a row that somebody writes meanwhile is read again.

Rule: the other fields stay, so this can't be one statement; each row is one write, and doing it twice is harmless.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from keyturn.core.audit_record import AuditRecord
from keyturn.core.challenges.steps import seed_field
from keyturn.core.connection import Connection
from keyturn.core.errors import KeyturnError, NotFound, RowUnreadable, SealBroken
from keyturn.engine.published import PublishedConnectors
from keyturn.ports.store import ConnectionFilter, ConnectionStore, RevisionConflict, SealedChange

PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class ForgetSeeds:
    """The ports that it needs."""

    connections: ConnectionStore
    published: PublishedConnectors

    async def __call__(self, *, at: float, record: Callable[[Connection], AuditRecord]) -> int:
        """Do it; returns how many there were. `at`: Unix seconds.

        Raises:
            KeyUnavailable, StoreUnavailable: some may be left; asking again goes on.
            RowUnreadable, SealBroken: all are gone but those that nobody can open.
        """
        count, cursor = 0, None
        left: KeyturnError | None = None
        while True:
            page = await self.connections.list(ConnectionFilter(), cursor=cursor, limit=PAGE)
            for each in page.items:
                try:
                    count += await self._forget(each.id, at, record)
                except (RowUnreadable, SealBroken) as error:
                    left = error
            cursor = page.next_cursor
            if cursor is None:
                if left is not None:
                    raise left
                return count

    async def _forget(self, connection_id: str, at: float, record: Callable[[Connection], AuditRecord]) -> bool:
        while True:
            connection = await self.connections.load(connection_id)
            seed = None if connection is None else await self._seed_of(connection)
            if seed is None:
                return False
            found = await self.connections.open(connection_id)
            if found is None:
                return False
            connection, secrets = found
            left = {name: value for name, value in secrets.fields.items() if name != seed}
            names = tuple(name for name in connection.sealed_fields if name != seed)
            changed = replace(connection, sealed_fields=names, totp_step=None, updated_at=at)
            try:
                await self.connections.save(changed, sealed=SealedChange(fields=left), records=[record(changed)])
            except RevisionConflict:
                continue
            return True

    async def _seed_of(self, connection: Connection) -> str | None:
        """The name of the seed that it keeps."""
        if connection.ended or not connection.sealed_fields:
            return None
        try:
            connector = await self.published.version(
                connection.connector, connection.connector_version, project=connection.project
            )
        except NotFound:
            return None
        declared = seed_field(connector)
        return declared.key if declared is not None and declared.key in connection.sealed_fields else None
