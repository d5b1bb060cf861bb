"""Connectors: one draft each, and numbered versions, of which only the advice is ever corrected.

How a connector becomes a document and a document a connector is handed in: the store knows no format.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from keyturn.adapters.sealing.data_keys import DataKeys, KeyOwner
from keyturn.adapters.sealing.sealed_value import Place
from keyturn.adapters.sealing.secret_json import decoded, encoded
from keyturn.adapters.store.audit import add_records
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.schema import connector_versions, connectors
from keyturn.core.audit_record import AuditRecord
from keyturn.core.connector import Connector
from keyturn.core.errors import NotFound, VersionConflict
from keyturn.ports.store import ClientCredentials, ConnectorSummary, Draft, PublishedVersion

Dump = Callable[[Connector], Mapping[str, Any]]
Load = Callable[[Mapping[str, Any]], Connector]

KEPT_DOCUMENTS: Final = 512

_c, _v = connectors.c, connector_versions.c
_IS: Final = (_c.project == sa.bindparam("of"), _c.id == sa.bindparam("which"))
_CLIENT: Final = sa.select(_c.client_generation, _c.data_key, _c.sealed_client).where(*_IS)
_VERSIONS: Final = sa.select(connector_versions).where(
    _v.project == sa.bindparam("of"), _v.connector == sa.bindparam("which")
)
_NEWEST: Final = _VERSIONS.order_by(_v.version.desc()).limit(1)
_NUMBERED: Final = _VERSIONS.where(_v.version == sa.bindparam("number"))
_SUMMARY: Final = (
    _c.id,
    _c.title,
    _c.latest_version,
    _c.draft_document.is_not(None).label("has_draft"),
    _c.sealed_client.is_not(None).label("client_id_set"),
    _c.updated_at,
)


class SqlConnectorStore:
    """Promises: the port's."""

    def __init__(self, database: Database, keys: DataKeys, dump: Dump, load: Load) -> None:
        self._database = database
        self._keys = keys
        self._dump = dump
        # Each login asks for the newest version: a document that says the same is made a connector once.
        self._connector = lru_cache(KEPT_DOCUMENTS)(lambda document: load(json.loads(document)))

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
        document = self._document(connector)

        def body(tx: sa.Connection) -> tuple[Draft, bool]:
            stored = tx.execute(sa.select(_c.draft_revision).where(*_is(project, connector.id))).scalar()
            if expected_revision not in (None, stored or 0):
                raise VersionConflict("the draft was changed by another")
            revision = (stored or 0) + 1
            _put(
                tx,
                project,
                connector.id,
                title=connector.title,
                updated_at=at,
                draft_document=document,
                draft_source=source,
                draft_updated_at=at,
                draft_revision=revision,
            )
            add_records(tx, records)
            return Draft(connector, source, at, revision), stored is None

        return await self._database.write(body)

    async def draft(self, connector_id: str, *, project: str = "default") -> Draft | None:
        """The draft, if any."""
        query = sa.select(connectors).where(*_is(project, connector_id), _c.draft_document.is_not(None))
        row = await self._database.read(lambda tx: tx.execute(query).one_or_none())
        if row is None:
            return None
        return Draft(self._connector(row.draft_document), row.draft_source, row.draft_updated_at, row.draft_revision)

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
        document = self._document(connector)

        def body(tx: sa.Connection) -> sa.Row[Any]:
            newest = _version(tx, project, connector.id, None)
            if newest is not None and newest.digest == digest:
                return newest
            version = 1 if newest is None else newest.version + 1
            draft = sa.select(_c.title).where(*_is(project, connector.id), _c.draft_document.is_not(None))
            title = tx.execute(draft).scalar() or connector.title
            _put(tx, project, connector.id, title=title, updated_at=at, latest_version=version)
            row = {
                "project": project,
                "connector": connector.id,
                "version": version,
                "digest": digest,
                "document": document,
                "source": source,
                "published_at": at,
                "published_by": by,
                "note": note,
            }
            tx.execute(sa.insert(connector_versions), row)
            add_records(tx, records)
            return _written(tx, project, connector.id, version)

        return self._published(await self._database.write(body))

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
        document = self._document(connector)
        same = (_v.project == project, _v.connector == connector.id, _v.version == read.version)
        change = sa.update(connector_versions).where(*same, _v.digest == read.digest)

        def body(tx: sa.Connection) -> sa.Row[Any]:
            if tx.execute(change.values(digest=digest, document=document, source=source)).rowcount != 1:
                raise VersionConflict("the version was corrected by another")
            add_records(tx, records)
            return _written(tx, project, connector.id, read.version)

        return self._published(await self._database.write(body))

    async def version(
        self, connector_id: str, version: int | None = None, *, project: str = "default"
    ) -> PublishedVersion | None:
        """One version, the newest where no number is given."""
        row = await self._database.read(lambda tx: _version(tx, project, connector_id, version))
        return None if row is None else self._published(row)

    async def list(self, *, project: str = "default") -> Sequence[ConnectorSummary]:
        """All of them, by id."""
        query = sa.select(*_SUMMARY).where(_c.project == project).order_by(_c.id)
        rows = await self._database.read(lambda tx: tx.execute(query).mappings().all())
        return tuple(ConnectorSummary(**row) for row in rows)

    async def set_client(
        self,
        connector_id: str,
        credentials: ClientCredentials,
        *,
        at: float,
        records: Sequence[AuditRecord] = (),
        project: str = "default",
    ) -> None:
        """Seal client id and secret, under a new key each time."""
        query = sa.select(_c.client_generation).where(*_is(project, connector_id))
        generation = await self._database.read(lambda tx: tx.execute(query).scalar())
        if generation is None:
            raise NotFound("there is no such connector")
        key = await self._keys.make(_owner(project, connector_id))
        content = {"client_id": credentials.client_id, "client_secret": credentials.client_secret}
        sealed = key.seal(_place(project, connector_id, generation + 1), encoded(content))
        change = (
            sa.update(connectors)
            .where(*_is(project, connector_id))
            .values(client_generation=generation + 1, data_key=key.wrapped, sealed_client=sealed, updated_at=at)
        )

        def body(tx: sa.Connection) -> None:
            tx.execute(change)
            add_records(tx, records)

        await self._database.write(body)

    async def client(self, connector_id: str, *, project: str = "default") -> ClientCredentials | None:
        """Open them."""
        which = {"of": project, "which": connector_id}
        row = await self._database.read(lambda tx: tx.execute(_CLIENT, which).one_or_none())
        if row is None or row.sealed_client is None:
            return None
        key = await self._keys.obtain(_owner(project, connector_id), row.data_key)
        content = decoded(key.unseal(_place(project, connector_id, row.client_generation), row.sealed_client))
        return ClientCredentials(content["client_id"], content["client_secret"])

    def _document(self, connector: Connector) -> str:
        return json.dumps(self._dump(connector), separators=(",", ":"))

    def _published(self, row: sa.Row[Any]) -> PublishedVersion:
        return PublishedVersion(
            self._connector(row.document),
            row.version,
            row.digest,
            row.source,
            row.published_at,
            row.published_by,
            row.note,
        )


def _is(project: str, connector_id: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return _c.project == project, _c.id == connector_id


def _version(tx: sa.Connection, project: str, connector_id: str, version: int | None) -> sa.Row[Any] | None:
    which = {"of": project, "which": connector_id}
    if version is None:
        return tx.execute(_NEWEST, which).one_or_none()
    return tx.execute(_NUMBERED, {**which, "number": version}).one_or_none()


def _written(tx: sa.Connection, project: str, connector_id: str, version: int) -> sa.Row[Any]:
    return tx.execute(_NUMBERED, {"of": project, "which": connector_id, "number": version}).one()


def _put(tx: sa.Connection, project: str, connector_id: str, **columns: Any) -> None:
    new = {"project": project, "id": connector_id, "draft_revision": 0, "client_generation": 0} | columns
    tx.execute(insert(connectors).values(new).on_conflict_do_update(index_elements=["project", "id"], set_=columns))


def _owner(project: str, connector_id: str) -> KeyOwner:
    return KeyOwner(project, f"connector:{connector_id}")


def _place(project: str, connector_id: str, generation: int) -> Place:
    return Place(project, f"connector:{connector_id}", "client", generation)
