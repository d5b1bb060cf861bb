"""API keys, by the hash of what their holders send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from keyturn.adapters.store.audit import add_records
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.schema import api_keys
from keyturn.adapters.store.rows.plain_columns import json_of, texts_in
from keyturn.core.audit_record import AuditRecord
from keyturn.ports.access.api_keys import ApiKey

_c = api_keys.c


class SqlApiKeyStore:
    """Promises: the port's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: ApiKey, *, records: Sequence[AuditRecord] = ()) -> None:
        """Add one."""

        def body(tx: sa.Connection) -> None:
            tx.execute(sa.insert(api_keys), _row_of(key))
            add_records(tx, records)

        await self._database.write(body)

    async def find(self, digest: str) -> ApiKey | None:
        """The key with this digest, revoked and expired ones too."""
        return await self._one(sa.select(api_keys).where(_c.digest == digest))

    async def load(self, key_id: str, *, project: str = "default") -> ApiKey | None:
        """Read one, revoked and expired ones too."""
        return await self._one(sa.select(api_keys).where(_c.id == key_id, _c.project == project))

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

    async def roll(self, key_id: str, key: ApiKey, *, ends_at: float, records: Sequence[AuditRecord] = ()) -> bool:
        """Add a key in the place of one that ends."""
        good = (
            _c.id == key_id,
            _c.project == key.project,
            _c.revoked_at.is_(None),
            sa.or_(_c.expires_at.is_(None), _c.expires_at > key.created_at),
        )
        ends = sa.case((_c.expires_at < ends_at, _c.expires_at), else_=ends_at)

        def body(tx: sa.Connection) -> bool:
            if tx.execute(sa.update(api_keys).where(*good).values(expires_at=ends)).rowcount == 0:
                return False
            tx.execute(sa.insert(api_keys), _row_of(key))
            add_records(tx, records)
            return True

        return await self._database.write(body)

    async def note_uses(self, uses: Mapping[str, float]) -> None:
        """Note when keys were last used."""
        earlier = sa.or_(_c.last_used_at.is_(None), _c.last_used_at < sa.bindparam("used_at"))
        noting = sa.update(api_keys).where(_c.id == sa.bindparam("key"), earlier)
        noting = noting.values(last_used_at=sa.bindparam("used_at"))
        rows = [{"key": key_id, "used_at": at} for key_id, at in uses.items()]

        def body(tx: sa.Connection) -> None:
            if rows:
                tx.execute(noting, rows)

        await self._database.write(body)

    async def _one(self, query: sa.Select[Any]) -> ApiKey | None:
        row = await self._database.read(lambda tx: tx.execute(query).one_or_none())
        return None if row is None else _key_in(row)


def _row_of(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "project": key.project,
        "name": key.name,
        "digest": key.digest,
        "scopes": json_of(sorted(key.scopes)),
        "connectors": json_of(sorted(key.connectors)),
        "owners": json_of(sorted(key.owners)),
        "created_at": key.created_at,
        "created_by": key.created_by,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }


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
        owners=frozenset(texts_in(row.owners)),
        created_by=row.created_by,
        last_used_at=row.last_used_at,
    )
