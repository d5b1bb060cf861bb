"""Stopping a connection for a while: no calls, no renewals but those that keep it alive, nothing lost."""

from __future__ import annotations

from dataclasses import dataclass, replace

from keyturn.core.connection import Connection, State
from keyturn.core.errors import ConnectionDisconnected, NotFound, VersionConflict
from keyturn.engine.actor import Actor
from keyturn.engine.audit.connection_record import connection_record
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.renewal.keep import KeepTokens
from keyturn.ports.clock import Clock
from keyturn.ports.store import ConnectionStore, RevisionConflict


@dataclass(frozen=True, slots=True)
class Pause:
    """Stops a connection's calls and renewals, and lets them go on."""

    connections: ConnectionStore
    published: PublishedConnectors
    keep_tokens: KeepTokens
    clock: Clock

    async def __call__(
        self,
        connection_id: str,
        actor: Actor,
        *,
        paused: bool,
        expected_revision: int | None = None,
        project: str = "default",
    ) -> Connection:
        """Set or clear the pause; already so is fine.

        Raises:
            NotFound, ConnectionDisconnected. VersionConflict: it has another revision than the caller expects.
        """
        while True:
            connection = await self.connections.load(connection_id, project=project)
            if connection is None:
                raise NotFound("There is no such connection.")
            if expected_revision not in (None, connection.revision):
                raise VersionConflict
            if connection.ended:
                raise ConnectionDisconnected
            if connection.paused == paused:
                return connection
            new = replace(connection, paused=paused, renews_at=None, updated_at=self.clock.now())
            if connection.state is not State.NEEDS_RECONNECT:
                new = replace(new, renews_at=await self._due(new))
            record = connection_record(
                connection, self.clock.now(), "connection.paused" if paused else "connection.resumed", actor
            )
            try:
                return await self.connections.save(new, records=[record])
            except RevisionConflict:
                continue

    async def _due(self, connection: Connection) -> float | None:
        """When it is renewed; a pause needs no connector, and loses nothing without it."""
        try:
            connector = await self.published.version(
                connection.connector, connection.connector_version, project=connection.project
            )
        except NotFound:
            if connection.paused:
                return None
            raise
        return self.keep_tokens.due(connection, connector)
