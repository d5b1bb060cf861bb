"""Every column that holds wrapped data keys, in one table.

Rule: a table with a sealed column stands here with the column of its data key, or in `SEALED_BY_THE_STORE`; a test
walks all tables. What stands here is rewrapped, counted and, where its key is lost, given up, without further ado.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import sqlalchemy as sa

from keyturn.adapters.sealing.data_keys import KeyOwner
from keyturn.adapters.sealing.sealed_value import KEY_NAME_BYTES
from keyturn.adapters.sealing.wrapped_key import key_id_of, key_name_of
from keyturn.adapters.store.database.challenge_table import challenges
from keyturn.adapters.store.database.meta import STORE_KEYS, owner_of_store_key
from keyturn.adapters.store.database.schema import connections, connectors, idempotency, meta, revocations
from keyturn.adapters.store.database.webhook_tables import webhook_endpoints
from keyturn.adapters.store.rows.connection_seals import data_owner, password_owner


class WhenLost(Enum):
    """What becomes of a row whose data key can't be unwrapped any more."""

    CONNECTION = "connection"  # needs the person again; the engine decides
    REMOVE = "remove"  # the row is of no use without it
    EMPTY = "empty"  # the sealed values go, the row stays
    STORE = "store"  # made anew before anything is read


@dataclass(frozen=True, slots=True)
class WrappedColumn:
    """One such column. `owner`: whose the data key of a row is; `only`: which rows hold one."""

    column: sa.Column[Any]
    owner: Callable[[sa.Row[Any]], KeyOwner]
    lost: WhenLost
    only: sa.ColumnElement[bool] | None = None

    @property
    def table(self) -> sa.Table:
        """Its table."""
        return self.column.table

    @property
    def place(self) -> str:
        """`table.column`."""
        return f"{self.table.name}.{self.column.name}"

    @property
    def row_key(self) -> list[sa.Column[Any]]:
        """What tells one row from another: texts, all of them."""
        return list(self.table.primary_key.columns)

    @property
    def key_name(self) -> sa.ColumnElement[bytes]:
        """The part of the column that names the wrapping key."""
        return sa.func.substr(self.column, 2, KEY_NAME_BYTES, type_=sa.LargeBinary)

    def rows(self, *conditions: sa.ColumnElement[bool]) -> tuple[sa.ColumnElement[bool], ...]:
        """Which rows hold one, narrowed down."""
        return (self.column.is_not(None), *(() if self.only is None else (self.only,)), *conditions)

    def named(self, key_id: str) -> sa.ColumnElement[bool]:
        """Whether this key wrapped it."""
        return self.key_name == key_name_of(key_id)


WRAPPED: Final = (
    WrappedColumn(meta.c.value, lambda row: owner_of_store_key(row.name), WhenLost.STORE, meta.c.name.in_(STORE_KEYS)),
    WrappedColumn(connectors.c.data_key, lambda row: KeyOwner(row.project, f"connector:{row.id}"), WhenLost.EMPTY),
    WrappedColumn(connections.c.data_key, lambda row: data_owner(row.id, row.project), WhenLost.CONNECTION),
    WrappedColumn(connections.c.password_key, lambda row: password_owner(row.id, row.project), WhenLost.CONNECTION),
    WrappedColumn(revocations.c.data_key, lambda row: KeyOwner(row.project, row.key_owner), WhenLost.REMOVE),
    WrappedColumn(challenges.c.data_key, lambda row: KeyOwner(row.project, f"challenge:{row.id}"), WhenLost.REMOVE),
    WrappedColumn(webhook_endpoints.c.data_key, lambda row: KeyOwner(row.project, f"webhook:{row.id}"), WhenLost.EMPTY),
)
PLACES: Final = {each.place: each for each in WRAPPED}
# Tables whose sealed columns are sealed by a data key of the store, which stands in `meta`.
SEALED_BY_THE_STORE: Final = frozenset({idempotency.name})


def count_by_key(tx: sa.Connection) -> dict[str, int]:
    """How many data keys each wrapping key wraps, by its id."""
    counts: dict[str, int] = {}
    for each in WRAPPED:
        query = sa.select(each.key_name, sa.func.count()).where(*each.rows()).group_by(each.key_name)
        for name, count in tx.execute(query):
            if isinstance(name, bytes) and len(name) == KEY_NAME_BYTES:  # else it is a damaged row's, and names no key
                counts[key_id_of(name)] = counts.get(key_id_of(name), 0) + count
    return counts


def count_of(tx: sa.Connection, key_id: str) -> int:
    """How many data keys one wrapping key wraps."""
    found = 0
    for each in WRAPPED:
        query = sa.select(sa.func.count()).select_from(each.table).where(*each.rows(each.named(key_id)))
        found += tx.execute(query).scalar_one()
    return found
