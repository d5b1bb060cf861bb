"""Connectors in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connector import Connector
from keyturn.core.errors import NotFound, VersionConflict
from keyturn.ports.store import ClientCredentials, ConnectorSummary, Draft, PublishedVersion
from tests.fakes.database import FakeDatabase


@dataclass
class _Entry:
    updated_at: float
    draft: Draft | None = None
    versions: list[PublishedVersion] = field(default_factory=list)
    client: ClientCredentials | None = None


class FakeConnectorStore:
    """Promises: `tests/contracts/connector_store_contract.py`."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self._entries: dict[tuple[str, str], _Entry] = {}

    async def put_draft(
        self,
        connector: Connector,
        source: str,
        *,
        at: float,
        expected_revision: int | None = None,
        records: Sequence[AuditRecord] = (),
        project: str = "default",
    ) -> tuple[Draft, bool]:
        """Write the draft."""
        await self._database.write("connectors.put_draft")
        entry = self._entries.get((project, connector.id))
        revision = entry.draft.revision if entry and entry.draft else 0
        if expected_revision not in (None, revision):
            raise VersionConflict("the draft was changed by another")
        new = entry is None
        entry = entry or self._entries.setdefault((project, connector.id), _Entry(at))
        entry.draft = Draft(connector, source, at, revision + 1)
        entry.updated_at = at
        self._database.log(records)
        return entry.draft, new

    async def draft(self, connector_id: str, *, project: str = "default") -> Draft | None:
        """Read the draft."""
        await self._database.read()
        entry = self._entries.get((project, connector_id))
        return entry.draft if entry else None

    async def publish(
        self,
        connector: Connector,
        source: str,
        digest: str,
        *,
        at: float,
        by: str = "",
        note: str = "",
        records: Sequence[AuditRecord] = (),
        project: str = "default",
    ) -> PublishedVersion:
        """Add the next version, unless the newest says the same."""
        await self._database.write("connectors.publish")
        entry = self._entries.setdefault((project, connector.id), _Entry(at))
        if entry.versions and entry.versions[-1].digest == digest:
            return entry.versions[-1]
        entry.versions.append(PublishedVersion(connector, len(entry.versions) + 1, digest, source, at, by, note))
        entry.updated_at = at
        self._database.log(records)
        return entry.versions[-1]

    async def correct(
        self,
        read: PublishedVersion,
        connector: Connector,
        source: str,
        digest: str,
        *,
        records: Sequence[AuditRecord] = (),
        project: str = "default",
    ) -> PublishedVersion:
        """Write over a version, if it is as it was read."""
        await self._database.write("connectors.correct")
        entry = self._entries.get((project, connector.id))
        versions = entry.versions if entry else []
        found = versions[read.version - 1] if 1 <= read.version <= len(versions) else None
        if found is None or found.digest != read.digest:
            raise VersionConflict("the version was corrected by another")
        corrected = replace(found, connector=connector, source=source, digest=digest)
        versions[read.version - 1] = corrected
        self._database.log(records)
        return corrected

    async def version(
        self, connector_id: str, version: int | None = None, *, project: str = "default"
    ) -> PublishedVersion | None:
        """Read one version, or the newest."""
        await self._database.read()
        entry = self._entries.get((project, connector_id))
        versions = entry.versions if entry else []
        if version is None:
            return versions[-1] if versions else None
        return versions[version - 1] if 1 <= version <= len(versions) else None

    async def list(self, *, project: str = "default") -> Sequence[ConnectorSummary]:
        """List them by id."""
        await self._database.read()
        return tuple(
            _summary(name, entry)
            for (where, name), entry in sorted(self._entries.items(), key=lambda item: item[0])
            if where == project
        )

    async def set_client(
        self,
        connector_id: str,
        credentials: ClientCredentials,
        *,
        at: float,
        records: Sequence[AuditRecord] = (),
        project: str = "default",
    ) -> None:
        """Keep client id and secret."""
        await self._database.write("connectors.set_client")
        entry = self._entries.get((project, connector_id))
        if entry is None:
            raise NotFound("there is no such connector")
        entry.client = credentials
        entry.updated_at = at
        self._database.log(records)

    async def client(self, connector_id: str, *, project: str = "default") -> ClientCredentials | None:
        """Read them."""
        await self._database.read()
        entry = self._entries.get((project, connector_id))
        return entry.client if entry else None


def _summary(name: str, entry: _Entry) -> ConnectorSummary:
    shown = entry.draft.connector if entry.draft else entry.versions[-1].connector
    return ConnectorSummary(
        id=name,
        title=shown.title,
        latest_version=len(entry.versions) or None,
        has_draft=entry.draft is not None,
        client_id_set=entry.client is not None,
        updated_at=entry.updated_at,
    )
