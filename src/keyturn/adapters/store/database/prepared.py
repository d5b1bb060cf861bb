"""Statements that are run all the time: made into SQL text once, and given to the driver as that.

Rule 1: what is written here is a statement of SQLAlchemy Core; this only spares the work of making text, types and
results of it each time, which is several times the work of SQLite itself.
Rule 2: values go by name, never into the text; a text is mended on its way in as everywhere (`plain`).
Rule 3: an error is the one that SQLAlchemy would have raised, without statement or values in it.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from keyturn.adapters.store.database.driver import driver_of, raised_by_driver
from keyturn.adapters.store.database.schema import plain

_DIALECT: Final = sqlite.dialect(paramstyle="named")

Values = Mapping[str, Any]


class Prepared:
    """One statement. A row has the names of its columns, as `sa.Row` has them; values come as the driver has them."""

    def __init__(self, statement: sa.Select[Any] | sa.Insert | sa.Update | sa.Delete) -> None:
        """`statement`: without lists of values, whose text would be another each time."""
        compiled = statement.compile(dialect=_DIALECT)
        returned = statement.selected_columns if isinstance(statement, sa.Select) else statement.exported_columns
        self._statement = statement
        self._text = str(compiled)
        self._given = {name: _bound(value) for name, value in compiled.params.items() if value is not None}
        row: Any = namedtuple("Row", [str(each.key) for each in returned])  # type: ignore[misc]
        self._row_of = row._make

    @property
    def selecting(self) -> sa.Select[Any]:
        """The query as it was written; a TypeError where it is none."""
        if not isinstance(self._statement, sa.Select):
            raise TypeError("no query")
        return self._statement

    def run(self, tx: sa.Connection, values: Values) -> int:
        """Write; returns how many rows it was."""
        return self._executed(tx, values).rowcount

    def run_each(self, tx: sa.Connection, rows: Iterable[Values]) -> None:
        """Write once for each of these."""
        given = self._given
        bound = [{**given, **{name: _bound(value) for name, value in each.items()}} for each in rows]
        try:
            driver_of(tx).executemany(self._text, bound).close()
        except sqlite3.Error as error:
            raise raised_by_driver(error) from None

    def rows(self, tx: sa.Connection, values: Values) -> Sequence[Any]:
        """All rows that it gives."""
        try:
            return list(map(self._row_of, self._executed(tx, values).fetchall()))
        except sqlite3.Error as error:
            raise raised_by_driver(error) from None

    def row(self, tx: sa.Connection, values: Values) -> Any:
        """The one row that it gives, or None."""
        found = self.rows(tx, values)
        return found[0] if found else None

    def _executed(self, tx: sa.Connection, values: Values) -> sqlite3.Cursor:
        bound = {name: _bound(value) for name, value in values.items()}
        try:
            return driver_of(tx).execute(self._text, {**self._given, **bound})
        except sqlite3.Error as error:
            raise raised_by_driver(error) from None


def _bound(value: Any) -> Any:
    return plain(value) if isinstance(value, str) else value
