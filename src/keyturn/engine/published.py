"""Published connectors at hand: each version is read from the store once, and again when its advice was corrected."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Final

from keyturn.core.connector import ClientAuthentication, Connector
from keyturn.core.errors import ConnectorClientMissing, ConnectorNotPublished, NotFound
from keyturn.ports.client_assertions import ClientAssertions
from keyturn.ports.store import ClientCredentials, ConnectorStore, PublishedVersion

KEPT_VERSIONS: Final = 512


class PublishedConnectors:
    """Reads versions through a small cache; the newest number and the client are always asked for."""

    def __init__(self, store: ConnectorStore, assertions: ClientAssertions | None = None) -> None:
        self._store = store
        self._assertions = assertions
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

    def forget_all(self) -> None:
        """Read every version anew."""
        self._forgotten += 1
        self._versions.clear()

    async def client(self, connector: Connector, *, project: str = "default") -> ClientCredentials | None:
        """The registered application; ConnectorClientMissing where the connector authenticates and there is none."""
        found = await self._store.client(connector.id, project=project)
        if found is None and connector.client_authentication is not ClientAuthentication.NONE:
            raise ConnectorClientMissing
        return None if found is None else replace(found, assertions=self._assertions)
