"""Webhook endpoints and deliveries.

Rule 1: an endpoint's secrets are sealed together under a data key that is new with each generation of them.
Rule 2: what deliveries write on their endpoint (`failing_since`, `enabled`) moves no revision but for the end of it:
deliveries beside each other must not lose their word to one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa

from keyturn.adapters.sealing.data_keys import DataKeys, KeyOwner
from keyturn.adapters.sealing.sealed_value import Place
from keyturn.adapters.sealing.secret_json import decoded, encoded
from keyturn.adapters.store.audit import add_records
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.webhook_tables import webhook_deliveries, webhook_endpoints
from keyturn.adapters.store.jobs import add_jobs
from keyturn.adapters.store.rows.cursors import cursor_of, position_in
from keyturn.adapters.store.rows.plain_columns import json_of, texts_in
from keyturn.core.audit_record import AuditRecord
from keyturn.ports.jobs import Job
from keyturn.ports.store import RevisionConflict
from keyturn.ports.webhooks.endpoints import Delivery, DeliveryState, Endpoint, EndpointChange, EndpointSecrets

_e, _d = webhook_endpoints.c, webhook_deliveries.c
_SEALED: Final = ("data_key", "sealed_secrets")
_PLAIN: Final = tuple(column for column in _e if column.name not in _SEALED)
_DELIVERY: Final = tuple(column.name for column in _d)
_LIST: Final = "deliveries"


class SqlWebhookStore:
    """Promises: the port's."""

    def __init__(self, database: Database, keys: DataKeys) -> None:
        self._database = database
        self._keys = keys

    async def add(
        self, endpoint: Endpoint, secrets: EndpointSecrets, *, records: Sequence[AuditRecord] = ()
    ) -> Endpoint:
        """Add one."""
        row = _columns_of(endpoint) | await self._sealed(endpoint, secrets)

        def body(tx: sa.Connection) -> None:
            tx.execute(sa.insert(webhook_endpoints), row)
            add_records(tx, records)

        await self._database.write(body)
        return endpoint

    async def load(self, endpoint_id: str, *, project: str = "default") -> Endpoint | None:
        """Read one."""
        query = sa.select(*_PLAIN).where(_e.id == endpoint_id, _e.project == project)
        row = await self._database.read(lambda tx: tx.execute(query).one_or_none())
        return None if row is None else _endpoint_in(row)

    async def secrets(self, endpoint: Endpoint) -> EndpointSecrets | None:
        """Open its secrets."""
        query = sa.select(_e.generation, _e.data_key, _e.sealed_secrets).where(
            _e.id == endpoint.id, _e.project == endpoint.project
        )
        row = await self._database.read(lambda tx: tx.execute(query).one_or_none())
        if row is None or row.data_key is None or row.sealed_secrets is None:
            return None
        key = await self._keys.obtain(_owner(endpoint), row.data_key)
        content = decoded(key.unseal(_place(endpoint, row.generation), row.sealed_secrets))
        return EndpointSecrets(content["current"], content["old"])

    async def list(self, *, project: str | None = "default") -> Sequence[Endpoint]:
        """All of a project, or of every one."""
        query = sa.select(*_PLAIN).order_by(_e.created_at, _e.id)
        if project is not None:
            query = query.where(_e.project == project)
        rows = await self._database.read(lambda tx: tx.execute(query).all())
        return tuple(_endpoint_in(row) for row in rows)

    async def save(self, change: EndpointChange, *, records: Sequence[AuditRecord] = ()) -> Endpoint:
        """Write over the row that has this revision."""
        endpoint = change.endpoint
        written = replace(endpoint, revision=endpoint.revision + 1)
        columns = _columns_of(written)
        if change.secrets is not None:
            columns |= await self._sealed(endpoint, change.secrets)
        update = (
            sa.update(webhook_endpoints)
            .where(_e.id == endpoint.id, _e.project == endpoint.project, _e.revision == endpoint.revision)
            .values(columns)
        )

        def body(tx: sa.Connection) -> Endpoint:
            if tx.execute(update).rowcount != 1:
                raise RevisionConflict("the endpoint was written by another")
            add_records(tx, records)
            return written

        return await self._database.write(body)

    async def remove(self, endpoint_id: str, *, records: Sequence[AuditRecord] = (), project: str = "default") -> bool:
        """Take one away with its deliveries."""

        def body(tx: sa.Connection) -> bool:
            gone = sa.delete(webhook_endpoints).where(_e.id == endpoint_id, _e.project == project)
            if tx.execute(gone).rowcount != 1:
                return False
            tx.execute(sa.delete(webhook_deliveries).where(_d.endpoint == endpoint_id, _d.project == project))
            add_records(tx, records)
            return True

        return await self._database.write(body)

    async def disable(self, endpoint: Endpoint, code: str, *, records: Sequence[AuditRecord] = ()) -> bool:
        """Disable one that is enabled."""
        change = (
            sa.update(webhook_endpoints)
            .where(_e.id == endpoint.id, _e.project == endpoint.project, _e.enabled)
            .values(enabled=False, disabled_code=code, revision=_e.revision + 1)
        )

        def body(tx: sa.Connection) -> bool:
            if tx.execute(change).rowcount != 1:
                return False
            add_records(tx, records)
            return True

        return await self._database.write(body)

    async def add_delivery(self, delivery: Delivery, *, job: Job | None = None) -> None:
        """Add one, with its job."""

        def body(tx: sa.Connection) -> None:
            tx.execute(sa.insert(webhook_deliveries), delivery_columns(delivery))
            add_jobs(tx, [job] if job is not None else [])

        await self._database.write(body)

    async def delivery(self, delivery_id: str, *, project: str = "default") -> Delivery | None:
        """Read one."""
        query = sa.select(webhook_deliveries).where(_d.id == delivery_id, _d.project == project)
        row = await self._database.read(lambda tx: tx.execute(query).one_or_none())
        return None if row is None else _delivery_in(row)

    async def deliveries(
        self, endpoint_id: str, *, cursor: str | None = None, limit: int = 50, project: str = "default"
    ) -> tuple[Sequence[Delivery], str | None]:
        """Newest first."""
        query = sa.select(webhook_deliveries).where(_d.endpoint == endpoint_id, _d.project == project)
        if cursor is not None:
            position = position_in(cursor, _LIST, float, str)
            query = query.where(sa.tuple_(_d.created_at, _d.id) < sa.tuple_(*position))
        query = query.order_by(_d.created_at.desc(), _d.id.desc()).limit(limit + 1)
        rows = await self._database.read(lambda tx: tx.execute(query).all())
        found = tuple(_delivery_in(row) for row in rows[:limit])
        more = len(rows) > limit
        return found, cursor_of(_LIST, float(found[-1].created_at), found[-1].id) if more else None

    async def note(self, delivery: Delivery) -> float | None:
        """Write what came of a try."""
        row = sa.update(webhook_deliveries).where(_d.id == delivery.id, _d.project == delivery.project)
        delivered = delivery.state is DeliveryState.DELIVERED
        since = None if delivered else sa.func.coalesce(_e.failing_since, delivery.tried_at)
        change = (
            sa.update(webhook_endpoints)
            .where(_e.id == delivery.endpoint, _e.project == delivery.project)
            .values(failing_since=since)
            .returning(_e.failing_since)
        )

        def body(tx: sa.Connection) -> float | None:
            tx.execute(row.values(delivery_columns(delivery)))
            if delivery.state is DeliveryState.DROPPED:
                return None
            found: float | None = tx.execute(change).scalar()
            return found

        return await self._database.write(body)

    async def purge(self, *, created_before: float) -> int:
        """Take older deliveries away."""
        old = sa.delete(webhook_deliveries).where(_d.created_at < created_before)
        return await self._database.write(lambda tx: tx.execute(old).rowcount)

    async def _sealed(self, endpoint: Endpoint, secrets: EndpointSecrets) -> dict[str, Any]:
        key = await self._keys.make(_owner(endpoint))
        content = encoded({"current": secrets.current, "old": secrets.old})
        return {"data_key": key.wrapped, "sealed_secrets": key.seal(_place(endpoint, endpoint.generation), content)}


def delivery_columns(delivery: Delivery) -> dict[str, Any]:
    """A delivery as its row has it."""
    return {name: getattr(delivery, name) for name in _DELIVERY if name != "state"} | {"state": delivery.state.value}


def _delivery_in(row: sa.Row[Any]) -> Delivery:
    columns = dict(row._mapping)
    return Delivery(**columns | {"state": DeliveryState(columns["state"])})


def _columns_of(endpoint: Endpoint) -> dict[str, Any]:
    columns = {column.name: getattr(endpoint, column.name) for column in _PLAIN if column.name != "events"}
    return columns | {"events": json_of(endpoint.events)}


def _endpoint_in(row: sa.Row[Any]) -> Endpoint:
    return Endpoint(**dict(row._mapping) | {"events": texts_in(row.events)})


def _owner(endpoint: Endpoint) -> KeyOwner:
    return KeyOwner(endpoint.project, f"webhook:{endpoint.id}")


def _place(endpoint: Endpoint, generation: int) -> Place:
    return Place(endpoint.project, f"webhook:{endpoint.id}", "secrets", generation)
