"""Reading rows so that one of them keeps back none of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from keyturn.adapters.store.database.prepared import Prepared

_NO_TEXT: Final = "Could not decode to UTF-8"  # what the driver says of a text that is none, and then gives no row


def rows_of(
    tx: sa.Connection, query: sa.Select[Any] | Prepared, values: Mapping[str, Any] | None = None
) -> Sequence[sa.Row[Any]]:
    """The rows of a query over one table; of one that the driver can't read its texts come as bytes."""
    try:
        return query.rows(tx, values or {}) if isinstance(query, Prepared) else tx.execute(query, values or {}).all()
    except OperationalError as error:
        if _NO_TEXT not in str(error.orig):
            raise
    if isinstance(query, Prepared):
        query = query.selecting
    table = query.get_final_froms()[0]
    number = sa.literal_column(f"{table.description}.rowid", sa.Integer)
    found = tx.execute(query.with_only_columns(number), values or {}).scalars().all()
    columns = tuple(query.selected_columns)
    return [_one(tx, sa.select(*columns).where(number == each), columns, values or {}) for each in found]


def _one(
    tx: sa.Connection, query: sa.Select[Any], columns: Sequence[sa.ColumnElement[Any]], values: Mapping[str, Any]
) -> sa.Row[Any]:
    try:
        return tx.execute(query, values).one()  # a column may be made of some of them
    except OperationalError as error:
        if _NO_TEXT not in str(error.orig):
            raise
    return tx.execute(query.with_only_columns(*(_not_as_text(each) for each in columns)), values).one()


def _not_as_text(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    bare = column.element if isinstance(column, sa.Label) else column
    raw = sa.case((sa.func.typeof(bare) == "text", sa.cast(bare, sa.LargeBinary)), else_=bare)
    return sa.type_coerce(raw, sa.types.NullType()).label(str(column.key))
