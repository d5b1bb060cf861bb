"""Days of routine records that are over: told in the main chain, one record a connection, day and kind, then cut.

Rule 1: each part is one transaction that tells some connections' days and notes how far it came. Whoever goes on, after
a crash or beside another process, goes on from there: nothing is told twice.
Rule 2: only when all are told they are cut, with a signed mark; rows before the mark count as gone, also while they are
still being taken away.
Rule 3: the note is signed as well: who writes another could have records cut that nobody told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import sqlalchemy as sa

from keyturn.adapters.store.chained.audit_keys import AuditKeys, is_signed_by
from keyturn.adapters.store.chained.chain_writer import ChainWriter
from keyturn.adapters.store.chained.routine import CUT, mark, put_mark
from keyturn.adapters.store.database.audit_tables import audit_marks, audit_routine
from keyturn.adapters.store.database.engine import flush
from keyturn.adapters.store.database.schema import connections
from keyturn.core.audit.checkpoint import Checkpoint, Kind
from keyturn.core.audit.routine import DAY_S, Day, RoutineKind, folded
from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import AuditUnavailable

FOLD: Final = "routine fold"
CONNECTIONS_AT_ONCE: Final = 200
ROWS_AT_ONCE: Final = 1_000
_r, _c = audit_routine.c, connections.c


def fold_some(tx: sa.Connection, writer: ChainWriter, *, before: float, at: float) -> int | None:
    """Tell the days of some connections; returns how many. None: nothing is left to tell, and all that was is cut."""
    flush(tx)  # what is left by others may be of such a day, and is numbered before what is told here
    cut = mark(tx, CUT)
    begun = 0 if cut is None else cut.seq
    through, after = _noted(tx, writer.keys, begun) or (_through(tx, begun, before), "")
    if not through:
        return None
    ids = _ids(tx, begun, through, after)
    if not ids:
        _cut_through(tx, writer.keys, begun, through, at)
        return None
    days = _days(tx, begun, through, ids)
    writer.add(tx, _records(tx, days, at))
    note = writer.keys.signed(Checkpoint(Kind.ROUTINE_FOLD, through, ids[-1].encode(), at))
    put_mark(tx, FOLD, seq=through, mac=note.mac, at=at, signature=note.signature)
    return len(days)


def take_away(tx: sa.Connection) -> int:
    """Take some of the rows away that were cut off; returns how many."""
    cut = mark(tx, CUT)
    if cut is None:
        return 0
    some = sa.select(_r.seq).where(_r.seq <= cut.seq).order_by(_r.seq).limit(ROWS_AT_ONCE)
    return tx.execute(sa.delete(audit_routine).where(_r.seq.in_(some))).rowcount


def _noted(tx: sa.Connection, keys: AuditKeys, begun: int) -> tuple[int, str] | None:
    """How far one that was begun has come: the last record of it, and the last connection that was told."""
    note = mark(tx, FOLD)
    if note is None or note.seq <= begun:  # one of before the cut is over
        return None
    mac, signature = (each if isinstance(each, bytes) else b"" for each in (note.mac, note.signature))
    said = Checkpoint(Kind.ROUTINE_FOLD, note.seq, mac, note.at or 0.0, signature=signature)
    if not is_signed_by(keys.public_key, said):
        raise AuditUnavailable("the mark of how far the routine records were told is not signed by this log")
    return note.seq, said.mac.decode()


def _through(tx: sa.Connection, begun: int, before: float) -> int:
    """The last record up to which all are older; 0: there is none."""
    kept = tx.execute(sa.select(sa.func.min(_r.seq)).where(_r.seq > begun, _r.at >= before)).scalar()
    query = sa.select(sa.func.max(_r.seq)).where(_r.seq > begun)
    return tx.execute(query if kept is None else query.where(_r.seq < kept)).scalar() or 0


def _ids(tx: sa.Connection, begun: int, through: int, after: str) -> list[str]:
    query = (
        sa.select(_r.connection)
        .where(_r.connection > after, _r.seq > begun, _r.seq <= through)
        .group_by(_r.connection)
        .order_by(_r.connection)
        .limit(CONNECTIONS_AT_ONCE)
    )
    return list(tx.execute(query).scalars())


def _days(tx: sa.Connection, begun: int, through: int, ids: Sequence[str]) -> list[Day]:
    day = sa.cast(_r.at / DAY_S, sa.Integer)
    query = (
        sa.select(_r.connection, _r.kind, day, sa.func.count(), sa.func.min(_r.generation),
                  sa.func.max(_r.generation), sa.func.group_concat(_r.host.distinct()))
        .where(_r.connection.in_(ids), _r.seq > begun, _r.seq <= through)
        .group_by(_r.connection, _r.kind, day)
        .order_by(_r.connection, day, _r.kind)
    )  # fmt: skip
    return [
        Day(connection, RoutineKind(kind), number * DAY_S, count, first, last, tuple(sorted((hosts or "").split(","))))
        for connection, kind, number, count, first, last, hosts in tx.execute(query)
    ]


def _records(tx: sa.Connection, days: Sequence[Day], at: float) -> list[AuditRecord]:
    """What is told; a connection whose row is gone is nobody's, as in the lists."""
    known = sa.select(_c.id, _c.project, _c.connector, _c.owner)
    found = {row.id: row for row in tx.execute(known.where(_c.id.in_({each.connection for each in days})))}
    records = []
    for each in days:
        record, row = folded(each, at), found.get(each.connection)
        if row is None:
            records.append(replace(record, project=""))
        else:
            records.append(replace(record, project=row.project, connector=row.connector, owner=row.owner))
    return records


def _cut_through(tx: sa.Connection, keys: AuditKeys, begun: int, through: int, at: float) -> None:
    """Say, signed, that all up to this record goes."""
    query = sa.select(_r.seq, _r.mac).where(_r.seq > begun, _r.seq <= through).order_by(_r.seq.desc()).limit(1)
    last = tx.execute(query).one_or_none()
    if last is not None:
        said = keys.signed(Checkpoint(Kind.ROUTINE_CUT, last.seq, last.mac, at))
        put_mark(tx, CUT, seq=said.seq, mac=said.mac, at=at, signature=said.signature)
    tx.execute(sa.delete(audit_marks).where(audit_marks.c.name == FOLD))
