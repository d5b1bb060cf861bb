"""Ending a connection: calls are refused at once, secrets go at once, the provider is told until it hears.

Disconnect wins over everything under way: a renewal's late answer is revoked, not stored (I13).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, Event, State, advance
from keyturn.core.connector import Connector
from keyturn.core.errors import ConnectionDisconnected, NotFound, ServerStopping, StoreUnavailable
from keyturn.core.revocation import Revocation, RevocationCause
from keyturn.engine.actor import Actor
from keyturn.engine.audit.connection_record import connection_record
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.revocation.revocation_rows import revocation_row
from keyturn.engine.revocation.revoke import Revoke
from keyturn.engine.revocation.summary import nothing_to_revoke, pending
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.store import ConnectionStore, RevisionConflict, SealedChange

FORGET_ALL = SealedChange(token_set=None, username=None, password=None, fields=None)


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The use case and what it needs."""

    connections: ConnectionStore
    published: PublishedConnectors
    revoke: Revoke
    clock: Clock
    entropy: Entropy

    async def __call__(
        self, connection_id: str, actor: Actor, *, forget_now: bool = False, project: str = "default"
    ) -> Connection:
        """End the connection and try once to tell the provider; returns it as it then is.

        `forget_now`: no later tries. Raises NotFound, or ConnectionDisconnected for a tombstone.
        """
        connection = await self._end(connection_id, actor, project)
        if connection.state is not State.DISCONNECTING:
            return connection
        try:
            for row in await self.revoke.revocations.of_connection(connection_id):
                await self.revoke.attempt(row, last=forget_now)
            await self.revoke.end_disconnect(connection_id, project)
            return await self.connections.load(connection_id, project=project) or connection
        except (StoreUnavailable, ServerStopping):
            return connection  # it is ended, and that is written; the provider is told as soon as can be

    async def _end(self, connection_id: str, actor: Actor, project: str) -> Connection:
        while True:
            opened = await self.connections.open(connection_id, project=project)
            if opened is None:
                raise NotFound("There is no such connection.")
            connection, secrets = opened
            if connection.state is State.DISCONNECTED:
                raise ConnectionDisconnected
            if connection.state is State.DISCONNECTING:
                return connection
            connector = await self._connector(connection)
            row = None
            if connector is not None:
                row = revocation_row(
                    connector,
                    connection,
                    secrets.token_set,
                    RevocationCause.DISCONNECTED,
                    sealed_fields=secrets.fields,
                    clock=self.clock,
                    entropy=self.entropy,
                )
            older = await self.revoke.revocations.of_connection(connection_id)
            ended = self._ended(connection, connector, [row, *older] if row is not None else older)
            record = self._record(ended, actor)
            # It is tried here and now; another takes over only if this process dies of it.
            rows = [self.revoke.reserved(row, connector)] if row and connector else []
            try:
                return await self.connections.save(ended, sealed=FORGET_ALL, records=[record], revocations=rows)
            except RevisionConflict:
                continue

    async def _connector(self, connection: Connection) -> Connector | None:
        try:
            return await self.published.version(
                connection.connector, connection.connector_version, project=connection.project
            )
        except NotFound:
            return None

    def _ended(self, connection: Connection, connector: Connector | None, rows: Sequence[Revocation]) -> Connection:
        """`rows`: what the provider has to be told of, sets that earlier logins replaced among them."""
        now = self.clock.now()
        told = not rows
        state = advance(connection.state, Event.DISCONNECT)
        return replace(
            connection,
            state=advance(state, Event.PROVIDER_TOLD) if told else state,
            reason=None,
            fields={},
            sealed_fields=(),
            intent=None,
            expires_at=None,
            renews_at=None,
            refreshable=False,
            password_kept_at=None,
            account=None,
            disconnected_at=now,
            updated_at=now,
            revocation=pending(rows) if rows else nothing_to_revoke(connector),
        )

    def _record(self, connection: Connection, actor: Actor) -> AuditRecord:
        action = "connection.disconnected" if connection.state is State.DISCONNECTED else "connection.disconnecting"
        return connection_record(
            connection, self.clock.now(), action, actor, facts={"generation": connection.generation}
        )
