"""API keys, by the hash of what their holders send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from keyturn.adapters.store.audit import add_records
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.schema import api_keys
from keyturn.adapters.store.rows.plain_columns import json_of, texts_in
from keyturn.core.audit_record import AuditRecord
from keyturn.ports.store import ApiKey

_c = api_keys.c


class SqlApiKeyStore:
    """Promises: the port's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: ApiKey, *, records: Sequence[AuditRecord] = ()) -> None:
        """Add one."""
        row = {
            "id": key.id,
            "project": key.project,
            "name": key.name,
            "digest": key.digest,
            "scopes": json_of(sorted(key.scopes)),
            "connectors": json_of(sorted(key.connectors)),
            "created_at": key.created_at,
            "expires_at": key.expires_at,
            "revoked_at": key.revoked_at,
        }

        def body(tx: sa.Connection) -> None:
            tx.execute(sa.insert(api_keys), row)
            add_records(tx, records)

        await self._database.write(body)

    async def find(self, digest: str) -> ApiKey | None:
        """The key with this digest, revoked and expired ones too."""
        query = sa.select(api_keys).where(_c.digest == digest)
        row = await self._database.read(lambda tx: tx.execute(query).one_or_none())
        return None if row is None else _key_in(row)

    async def list(self, *, project: str = "default") -> Sequence[ApiKey]:
        """All that are not revoked, newest first."""
        query = sa.select(api_keys).where(_c.project == project, _c.revoked_at.is_(None))
        query = query.order_by(_c.created_at.desc(), _c.id.desc())
        rows = await self._database.read(lambda tx: tx.execute(query).all())
        return tuple(_key_in(row) for row in rows)

    async def revoke(self, key_id: str, *, at: float, records: Sequence[AuditRecord] = ()) -> bool:
        """Revoke one; the first time stays."""

        def body(tx: sa.Connection) -> bool:
            revoking = sa.update(api_keys).where(_c.id == key_id, _c.revoked_at.is_(None)).values(revoked_at=at)
            if tx.execute(revoking).rowcount == 1:
                add_records(tx, records)
                return True
            return tx.execute(sa.select(_c.id).where(_c.id == key_id)).scalar() is not None

        return await self._database.write(body)


def _key_in(row: sa.Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        digest=row.digest,
        scopes=frozenset(texts_in(row.scopes)),
        created_at=row.created_at,
        connectors=frozenset(texts_in(row.connectors)),
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        project=row.project,
    )
