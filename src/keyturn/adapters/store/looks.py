"""What the scheduler looks at next, fairly over connectors, and moving it away.

Rule 1: rows are found by jumping along one index: from connector to connector, and within each from the longest overdue
on. However many rows of one connector wait, those of another are found as fast.
Rule 2: only columns that the scheduler needs are read, and none of them is opened or parsed: a row that can't be read
spoils no round. A text that is none is one of those, and the driver gives no row then: connectors are
compared as bytes.
Rule 3: moving a look changes nothing that a caller goes by, and moves no revision.

Source: the scale design, "Due rows"; the renewal design, "The scheduler".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import Any, Final

import sqlalchemy as sa

from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.prepared import Prepared
from keyturn.adapters.store.database.schema import connections
from keyturn.adapters.store.lease_holder import Host
from keyturn.adapters.store.processes import LEASED, lease_values
from keyturn.adapters.store.rows.each_row import rows_of
from keyturn.ports.store import Due

ENDS_WITHIN_S: Final = 3600.0
_c = connections.c
# SQLite takes an anchor with ORDER BY and LIMIT only within another select.
CONNECTORS: Final = sa.text(
    "WITH RECURSIVE busy(connector) AS ("
    " SELECT * FROM (SELECT connector FROM connections WHERE look_at IS NOT NULL ORDER BY connector LIMIT 1)"
    " UNION ALL SELECT (SELECT k.connector FROM connections k WHERE k.connector > b.connector AND k.look_at IS NOT NULL"
    " ORDER BY k.connector LIMIT 1) FROM busy b WHERE b.connector IS NOT NULL"
    ") SELECT CAST(connector AS BLOB) FROM busy WHERE connector IS NOT NULL"
)
OF_ONE: Final = Prepared(
    sa.select(
        _c.id, _c.project, _c.connector, _c.generation, _c.paused, _c.unconfirmed, _c.last_used_at, _c.created_at,
        _c.intent_attempt, _c.refresh_expires_at,
    )
    .where(_c.connector == sa.cast(sa.bindparam("of_connector", type_=sa.LargeBinary), sa.Text))
    .where(sa.text("look_at IS NOT NULL"))
    .where(_c.look_at <= sa.bindparam("look_now", type_=sa.Float), sa.not_(LEASED))
    .order_by(_c.look_at)
    .limit(sa.bindparam("most", type_=sa.Integer))
)  # fmt: skip
_MOVE: Final = (
    sa.update(connections)
    .where(_c.id == sa.bindparam("which"), _c.generation == sa.bindparam("of_generation"))
    .where(_c.look_at.is_not(None), _c.look_at <= sa.bindparam("due_by"))
    .values(look_at=sa.bindparam("look_next"))
)


async def find_due(
    database: Database, host: Host, now: float, *, room: Mapping[str, int], most: int, limit: int
) -> Sequence[Due]:
    """See `ConnectionStore.looks`."""

    def body(tx: sa.Connection) -> list[list[Due]]:
        values = lease_values(host) | {"look_now": now}
        found = []
        for connector in tx.execute(CONNECTORS).scalars().all():
            some = min(most, room.get(_text(connector), most))
            if some > 0:
                rows = rows_of(tx, OF_ONE, values | {"of_connector": connector, "most": some})
                found.append([_due_in(row) for row in rows])
        return found

    dealt = [each for each in chain(*zip_longest(*await database.read_together(body))) if each is not None]
    ending = [each for each in dealt if _ends_soon(each, now)]
    return [*ending, *(each for each in dealt if not _ends_soon(each, now))][:limit]


async def move_looks(database: Database, moves: Mapping[str, tuple[int, float]], *, due_by: float) -> None:
    """See `ConnectionStore.move_looks`."""
    rows = [
        {"which": name, "of_generation": generation, "look_next": at, "due_by": due_by}
        for name, (generation, at) in moves.items()
    ]
    if rows:
        await database.write(lambda tx: tx.execute(_MOVE, rows) and None)


def _due_in(row: Any) -> Due:
    used = [each for each in (row.last_used_at, row.created_at) if isinstance(each, float | int)]
    return Due(
        id=_text(row.id),
        project=_text(row.project),
        connector=_text(row.connector),
        generation=row.generation,
        held=bool(row.paused) or bool(row.unconfirmed),
        used_at=max(used, default=None),
        open_still=row.intent_attempt is not None,
        refresh_expires_at=row.refresh_expires_at,
    )


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _ends_soon(due: Due, now: float) -> bool:
    ends = due.refresh_expires_at
    return isinstance(ends, float | int) and ends <= now + ENDS_WITHIN_S
