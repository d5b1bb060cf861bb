"""Ending a connection: calls are refused at once, secrets go at once, the provider is told until it hears.

Rule 1: disconnect wins over everything under way: a renewal's late answer is revoked, not stored (I13).
Rule 2: destroying needs no opening: what a broken seal or a row that can't be read holds goes all the same. Then the
provider can't be told, and the connection says so (I19).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, ConnectionSecrets, Event, State, advance
from keyturn.core.connector import Connector
from keyturn.core.errors import (
    ConnectionDisconnected,
    NotFound,
    RowUnreadable,
    SealBroken,
    ServerStopping,
    StoreUnavailable,
)
from keyturn.core.revocation import Revocation, RevocationCause
from keyturn.engine.actor import Actor
from keyturn.engine.audit.connection_record import connection_record
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.revocation.revocation_rows import revocation_row
from keyturn.engine.revocation.revoke import Revoke
from keyturn.engine.revocation.summary import nothing_to_revoke, pending
from keyturn.engine.revocation.unopened import NOT_POSSIBLE, above
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
        except (StoreUnavailable, ServerStopping, SealBroken, RowUnreadable):
            return connection  # it is ended, and that is written; the provider is told as soon as can be

    async def _end(self, connection_id: str, actor: Actor, project: str) -> Connection:
        while True:
            connection, secrets = await self._found(connection_id, project)
            if connection.state is State.DISCONNECTED:
                raise ConnectionDisconnected
            if connection.state is State.DISCONNECTING:
                return connection
            connector = await self._connector(connection)
            row = None
            if connector is not None and secrets is not None:
                row = revocation_row(
                    connector,
                    connection,
                    secrets.token_set,
                    RevocationCause.DISCONNECTED,
                    sealed_fields=secrets.fields,
                    clock=self.clock,
                    entropy=self.entropy,
                )
            older = await self.revoke.revocations.of_connection(connection_id) if secrets is not None else ()
            rows = [row, *older] if row is not None else older
            told = self._told(connector, rows, unopened=secrets is None)
            ended = self._ended(connection, told, still_to_tell=bool(rows))
            record = self._record(ended, actor)
            # It is tried here and now; another takes over only if this process dies of it.
            reserved = [self.revoke.reserved(row, connector)] if row and connector else []
            try:
                if connection.state is State.UNREADABLE:
                    return await self.connections.mend(above(ended, connection), ConnectionSecrets(), records=[record])
                return await self.connections.save(ended, sealed=FORGET_ALL, records=[record], revocations=reserved)
            except RevisionConflict:
                continue

    async def _found(self, connection_id: str, project: str) -> tuple[Connection, ConnectionSecrets | None]:
        """The connection, and what it keeps; None for that where it can't be opened. NotFound."""
        try:
            opened = await self.connections.open(connection_id, project=project)
            if opened is not None:
                return opened
        except (RowUnreadable, SealBroken):
            shown = await self.connections.shown(connection_id, project=project)
            if shown is not None:
                return shown, None
        raise NotFound("There is no such connection.")

    async def _connector(self, connection: Connection) -> Connector | None:
        try:
            return await self.published.version(
                connection.connector, connection.connector_version, project=connection.project
            )
        except NotFound:
            return None

    def _told(self, connector: Connector | None, rows: Sequence[Revocation], *, unopened: bool) -> Mapping[str, Any]:
        """What is said of telling the provider.

        `rows`: what it has to be told of, sets that earlier logins replaced among them. `unopened`: there may be tokens
        that nobody can open; what is left of earlier logins is told all the same, but changes nothing of that.
        """
        if unopened and (connector is None or connector.revokes):
            return {"result": NOT_POSSIBLE, "tries": 0, "revoked": []}
        return pending(rows) if rows else nothing_to_revoke(connector)

    def _ended(self, connection: Connection, told: Mapping[str, Any], *, still_to_tell: bool) -> Connection:
        now = self.clock.now()
        state = advance(connection.state, Event.DISCONNECT)
        return replace(
            connection,
            state=state if still_to_tell else advance(state, Event.PROVIDER_TOLD),
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
            revocation=told,
        )

    def _record(self, connection: Connection, actor: Actor) -> AuditRecord:
        action = "connection.disconnected" if connection.state is State.DISCONNECTED else "connection.disconnecting"
        facts: dict[str, Any] = {"generation": connection.generation}
        if connection.revocation.get("result") == NOT_POSSIBLE:
            facts["revocation"] = NOT_POSSIBLE
        return connection_record(connection, self.clock.now(), action, actor, facts=facts)
