"""Published connectors at hand, and the application that each is registered as.

A version is read from the store once, and again when its advice was corrected. The application is read again once it
was set, here or by another process, and after a minute: no key that was taken away opens it for longer.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from keyturn.core.connector import ClientAuthentication, Connector
from keyturn.core.errors import ConnectorClientMissing, ConnectorNotPublished, NotFound
from keyturn.ports.client_assertions import ClientAssertions
from keyturn.ports.store import ClientCredentials, ConnectorStore, PublishedVersion

KEPT_VERSIONS: Final = 512
CLIENT_KEPT_S: Final = 60.0


class PublishedConnectors:
    """Reads through a small cache; the newest number is always asked for, and the client, but for renewals."""

    def __init__(
        self,
        store: ConnectorStore,
        assertions: ClientAssertions | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._assertions = assertions
        self._monotonic = monotonic
        self._clients: OrderedDict[tuple[str, str], tuple[float, ClientCredentials | None]] = OrderedDict()
        self._versions: OrderedDict[tuple[str, str, int], PublishedVersion] = OrderedDict()
        self._forgotten = 0  # how often something was, so that what was read before is not kept after

    async def newest(self, connector_id: str, *, project: str = "default") -> PublishedVersion:
        """The newest version.

        Raises:
            NotFound: no such connector.
            ConnectorNotPublished: it has a draft at most.
        """
        found = await self._store.version(connector_id, project=project)
        if found is not None:
            return found
        if await self._store.draft(connector_id, project=project) is None:
            raise NotFound("There is no such connector.")
        raise ConnectorNotPublished

    async def version(self, connector_id: str, version: int, *, project: str = "default") -> Connector:
        """The version that a connection is pinned to; NotFound if it was taken away."""
        key = (project, connector_id, version)
        found = self._versions.get(key)
        if found is None:
            before = self._forgotten
            found = await self._store.version(connector_id, version, project=project)
            if found is None:
                raise NotFound("There is no such version of the connector.")
            if before == self._forgotten:
                self._versions[key] = found
            if len(self._versions) > KEPT_VERSIONS:
                self._versions.popitem(last=False)
        return found.connector

    def forget(self, connector_id: str) -> None:
        """Read a connector's versions anew: one of them was corrected, here or by another process."""
        self._forgotten += 1
        for key in [each for each in self._versions if each[1] == connector_id]:
            del self._versions[key]

    def forget_client(self, connector_id: str) -> None:
        """Read a connector's client anew: another was set, here or by another process."""
        self._forgotten += 1
        for key in [each for each in self._clients if each[1] == connector_id]:
            del self._clients[key]

    def forget_all(self) -> None:
        """Read every version and client anew."""
        self._forgotten += 1
        self._versions.clear()
        self._clients.clear()

    async def client(self, connector: Connector, *, project: str = "default") -> ClientCredentials | None:
        """The registered application; ConnectorClientMissing where the connector authenticates and there is none."""
        return self._checked(connector, await self._read_client(connector.id, project))

    async def client_at_hand(self, connector: Connector, *, project: str = "default") -> ClientCredentials | None:
        """The same, for renewals: as it was read within the minute, if nobody is known to have set another since."""
        read_at, found = self._clients.get((project, connector.id), (-math.inf, None))
        if self._monotonic() - read_at >= CLIENT_KEPT_S:
            found = await self._read_client(connector.id, project)
        return self._checked(connector, found)

    async def _read_client(self, connector_id: str, project: str) -> ClientCredentials | None:
        key, now, before = (project, connector_id), self._monotonic(), self._forgotten
        found = await self._store.client(connector_id, project=project)
        if found is not None:
            found = replace(found, assertions=self._assertions)
        if before == self._forgotten:
            self._clients[key] = (now, found)
            self._clients.move_to_end(key)
        if len(self._clients) > KEPT_VERSIONS:
            self._clients.popitem(last=False)
        return found

    def _checked(self, connector: Connector, client: ClientCredentials | None) -> ClientCredentials | None:
        if client is None and connector.client_authentication is not ClientAuthentication.NONE:
            raise ConnectorClientMissing
        return client
