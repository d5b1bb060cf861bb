"""The chain of routine records in the database: added, read and checked. Told by the day, and cut: `folding.py`.

Rule 1: a row has what no other table tells: connector, project and person are its connection's.
Rule 2: a row's MAC is over everything in it and the MAC of the row before; it is as long as half a SHA-256.
Rule 3: its head stands in the marks from the first start on. Where somebody took that away, what happens is written
into the main chain, and the check says that the head is gone: a chain that began anew would hide what was before.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from keyturn.adapters.store.chained.audit_keys import AuditKeys, is_signed_by
from keyturn.adapters.store.database.audit_tables import audit_marks, audit_routine, audit_subjects
from keyturn.adapters.store.database.prepared import Prepared
from keyturn.adapters.store.database.schema import connections, plain
from keyturn.core.audit.chain import SUBJECT, TOLD_OF_A_MAC, Entry, Fault, canonical_facts, mac_of
from keyturn.core.audit.checkpoint import Checkpoint, Kind
from keyturn.core.audit.kinds import RecordKind
from keyturn.core.audit.routine import ACTIONS, MAC_BYTES, START, RoutineKind, routine_kind
from keyturn.core.audit_record import AuditRecord
from keyturn.ports.audit import AuditFilter, Bounds

HEAD: Final = "routine head"
CUT: Final = "routine cut"
_FEW: Final = 50
_NEAR_S: Final = 3600.0  # records are numbered by their commits; how far the times of neighbours may be out of order
_SCHEDULER: Final = "scheduler"
_OF_COLUMNS: Final = frozenset({"generation", "attempt", "host", "sent_at"})
_r, _c = audit_routine.c, connections.c
_OWNER: Final = sa.func.coalesce(audit_subjects.c.subject, _c.owner).label("subject")
# A row, and what its connection tells; the subject of a person, or whoever took the place of one who was erased.
ROWS: Final[sa.Select[Any]] = sa.select(
    audit_routine, _c.project.label("project"), _c.connector.label("connector"), _c.owner.label("owner"), _OWNER
).select_from(
    audit_routine.outerjoin(connections, _r.connection == _c.id).outerjoin(
        audit_subjects, sa.and_(audit_subjects.c.project == _c.project, audit_subjects.c.owner == _c.owner)
    )
)
_BARE: Final = sa.select(audit_routine)
_ENDS: Final = sa.select(
    sa.select(sa.func.min(_r.seq)).scalar_subquery(), sa.select(sa.func.max(_r.seq)).scalar_subquery()
)
_FROM: Final = sa.select(_r.seq, _r.at).where(_r.seq >= sa.bindparam("from_seq")).order_by(_r.seq).limit(1)
_BEFORE: Final = sa.select(_r.mac).where(_r.seq < sa.bindparam("before")).order_by(_r.seq.desc()).limit(1)
_INSERT: Final = Prepared(sa.insert(audit_routine))
_MARK: Final = Prepared(sa.select(audit_marks).where(audit_marks.c.name == sa.bindparam("of_mark")))
_NEW_MARK: Final = insert(audit_marks)
_PUT_MARK: Final = Prepared(
    _NEW_MARK.on_conflict_do_update(
        index_elements=["name"],
        set_={each: _NEW_MARK.excluded[each] for each in ("seq", "mac", "at", "signature")},
    )
)
_ABOUT: Final = Prepared(
    sa.select(_c.id, _c.project, _c.connector, _c.owner).where(
        _c.id.in_(sa.select(sa.column("value")).select_from(sa.func.json_each(sa.bindparam("ids"))))
    )
)
_KINDS_OF: Final = {
    RecordKind.RENEWALS: (RoutineKind.RENEWED,),
    RecordKind.CALLS: (RoutineKind.TOKEN_VENDED,),
    RecordKind.FAILURES: (),
    RecordKind.CHANGES: (),
}


def mark(tx: sa.Connection, name: str) -> sa.Row[Any] | None:
    """A mark along the chain."""
    found: sa.Row[Any] | None = _MARK.row(tx, {"of_mark": name})
    return found


def routine_head(tx: sa.Connection) -> tuple[int, bytes] | None:
    """The number and MAC of the newest routine record, (0, zeros) before the first; None: somebody took it away."""
    row = mark(tx, HEAD)
    return None if row is None else (row.seq, mac_in(row))


def begin_routine(tx: sa.Connection, keys: AuditKeys, at: float) -> None:
    """Chain what stands there anew, from its first record on: the key of its chain was given up as lost."""
    seq, previous = 0, START
    while found := tx.execute(_BARE.where(_r.seq > seq).order_by(_r.seq).limit(500)).all():
        for row in found:
            seq, previous = row.seq, _mac_of(keys.routine_key, row.seq, previous, row._asdict())
            tx.execute(sa.update(audit_routine).where(_r.seq == seq).values(mac=previous))
    put_mark(tx, HEAD, seq=seq, mac=previous, at=at)


def routine_among(tx: sa.Connection, records: Sequence[AuditRecord]) -> frozenset[int]:
    """Which of these belong here, by their places: routine ones of which their connection tells all that no row has."""
    found = {n: each for n, each in enumerate(records) if routine_kind(each) is not None}
    if not found:
        return frozenset()
    ids = json.dumps(sorted({plain(each.connection or "") for each in found.values()}))
    known = {tuple(row) for row in _ABOUT.rows(tx, {"ids": ids})}
    return frozenset(
        n for n, each in found.items() if (each.connection, each.project, each.connector, each.owner) in known
    )


def add_routine(
    tx: sa.Connection, key: bytes, records: Sequence[tuple[int, AuditRecord]], head: tuple[int, bytes]
) -> None:
    """Add numbered records at the end of the chain."""
    previous, rows = head[1], []
    for seq, record in records:
        columns = _columns_of(record)
        previous = _mac_of(key, seq, previous, columns)
        rows.append({**columns, "seq": seq, "mac": previous})
    _INSERT.run_each(tx, rows)
    put_mark(tx, HEAD, seq=records[-1][0], mac=previous, at=records[-1][1].at)


def record_in(row: sa.Row[Any]) -> AuditRecord:
    """Read a record of `ROWS`."""
    return _record_in(row, project=row.project, connector=row.connector, owner=row.owner)


def of_kind(kind: RecordKind | None) -> list[sa.ColumnElement[bool]]:
    """As `audit.of_kind`, of routine records."""
    return [] if kind is None else [_r.kind.in_([each.value for each in _KINDS_OF[kind]])]


def conditions(tx: sa.Connection, which: AuditFilter, project: str) -> list[sa.ColumnElement[bool]] | None:
    """A filter over `ROWS`; None where it lets no routine record through."""
    found: list[sa.ColumnElement[bool]] = []
    kinds = [kind for kind, action in ACTIONS.items() if which.action in (None, action) and action not in which.without]
    if not kinds or which.outcome not in (None, "ok"):
        return None
    if len(kinds) < len(ACTIONS):
        found.append(_r.kind.in_([each.value for each in kinds]))
    if which.actor is not None:
        found.append(_r.actor.is_(None) if which.actor == _SCHEDULER else _r.actor == plain(which.actor))
    if which.connection is not None:
        found.append(_r.connection == plain(which.connection))
    if which.connector is not None:
        found += _of_connectors(tx, frozenset({which.connector}), project)
    if which.connectors is not None:
        found += _of_connectors(tx, which.connectors, project)
    if which.owner is not None:
        owner = plain(which.owner)
        of_subject = sa.select(audit_subjects.c.owner).where(audit_subjects.c.subject == owner)
        theirs = sa.select(connections.c.id).where(
            connections.c.project == plain(project), connections.c.owner.in_([owner, of_subject.scalar_subquery()])
        )
        found.append(_r.connection.in_(theirs))  # all records of a few connections, not all records of everybody
    return [*found, *within(tx, which.since, which.until)]


def _of_connectors(tx: sa.Connection, connectors: frozenset[str], project: str) -> list[sa.ColumnElement[bool]]:
    """The records of these. Where they have few connections, only theirs are read; else the newest are soon found."""
    names = sorted(map(plain, connectors))
    theirs = sa.select(_c.id).where(_c.project == plain(project), _c.connector.in_(names))
    ids = list(tx.execute(theirs.limit(_FEW + 1)).scalars())
    return [_r.connection.in_(ids)] if len(ids) <= _FEW else [_c.connector.in_(names)]


def within(tx: sa.Connection, since: float | None, until: float | None) -> list[sa.ColumnElement[bool]]:
    """The records of a time, found by their numbers: nothing else is read for it, and no index is kept."""
    found: list[sa.ColumnElement[bool]] = []
    if since is not None:
        found += [_r.at >= since, _r.seq >= _number_at(tx, since - _NEAR_S)]
    if until is not None:
        found += [_r.at < until, _r.seq < _number_at(tx, until + _NEAR_S)]
    return found


def _number_at(tx: sa.Connection, at: float) -> int:
    """A number before which everything is older, and after which nothing is; halved until it is found."""
    first, last = tx.execute(_ENDS).one()
    low, high = first or 1, (last or 0) + 1
    while low < high:
        middle = (low + high) // 2
        row = tx.execute(_FROM, {"from_seq": middle}).one_or_none()
        if row is not None and row.at < at:
            low = int(row.seq) + 1
        else:
            high = middle
    return low


def in_project(project: str) -> sa.ColumnElement[bool]:
    """The routine records of a project; a row whose connection is gone is nobody's.

    The sign keeps SQLite from beginning with the project's connections, and sorting all that was recorded of them.
    """
    return sa.literal_column("+connections.project", sa.Text) == plain(project)


def bounds(tx: sa.Connection, keys: AuditKeys) -> Bounds:
    """Where the chain begins and ends now."""
    head, row, newest = routine_head(tx), mark(tx, CUT), tx.execute(_ENDS).one()[1] or 0
    start = (0, START) if row is None else (row.seq, mac_in(row))
    if row is not None:
        said = Checkpoint(Kind.ROUTINE_CUT, row.seq, start[1], row.at, signature=row.signature or b"")
        if not is_signed_by(keys.public_key, said):
            return Bounds(start, head or (0, b""), Fault(row.seq + 1, "cut_unsigned"))
    if head is None or newest > head[0]:
        return Bounds(start, head or (0, b""), Fault(newest or start[0] or 1, "head_changed"))
    return Bounds(start, head)


def check(
    tx: sa.Connection, key: bytes, after: tuple[int, bytes], *, until: int, limit: int
) -> tuple[list[Entry], Fault | None]:
    """The next records that are right, and what is wrong with the one after them."""
    query = _BARE.where(_r.seq > after[0], _r.seq <= until).order_by(_r.seq).limit(limit)
    previous, right = after[1], list[Entry]()
    for row in tx.execute(query).all():
        expected = _safely(key, row, previous)
        if expected is None:
            return right, Fault(row.seq, "changed", "", mac_in(row).hex())
        if not hmac.compare_digest(expected, mac_in(row)):
            return right, Fault(row.seq, "changed", expected.hex()[:TOLD_OF_A_MAC], mac_in(row).hex())
        record = _record_in(row, project="default", connector=None, owner=None)
        right.append(Entry(row.seq, record, None, "", previous, expected, routine=True))
        previous = expected
    return right, None


def entry(tx: sa.Connection, seq: int, project: str) -> Entry | None:
    """One record with its place in this chain."""
    row = tx.execute(ROWS.where(in_project(project), _r.seq == seq)).one_or_none()
    if row is None:
        return None
    return _entry_in(row, tx.execute(_BEFORE, {"before": seq}).scalar() or _start(tx))


def _start(tx: sa.Connection) -> bytes:
    """The MAC of the record before the first."""
    cut = mark(tx, CUT)
    return START if cut is None else mac_in(cut)


def _entry_in(row: Any, previous: bytes) -> Entry:
    record = record_in(row)
    subject = row.subject if row.subject is not None and SUBJECT.fullmatch(row.subject) else None
    return Entry(row.seq, record, subject, canonical_facts(record.facts), previous, mac_in(row), routine=True)


def newer(tx: sa.Connection, after: int, limit: int) -> list[Entry]:
    """The records after a number, with their places in this chain, oldest first."""
    rows = tx.execute(ROWS.where(_r.seq > after).order_by(_r.seq).limit(limit)).all()
    previous = (tx.execute(_BEFORE, {"before": rows[0].seq}).scalar() if rows else None) or _start(tx)
    found = []
    for row in rows:
        found.append(_entry_in(row, previous))
        previous = mac_in(row)
    return found


def put_mark(tx: sa.Connection, name: str, *, seq: int, mac: bytes, at: float, signature: bytes | None = None) -> None:
    """Write a mark along a chain."""
    _PUT_MARK.run(tx, {"name": name, "seq": seq, "mac": mac, "at": at, "signature": signature})


def _columns_of(record: AuditRecord) -> dict[str, Any]:
    facts, kind = record.facts, routine_kind(record)
    rest = {name: value for name, value in facts.items() if name not in _OF_COLUMNS}
    return {
        "at": record.at,
        "kind": int(kind or 0),
        "connection": plain(record.connection or ""),
        "generation": facts.get("generation"),
        "actor": None if record.actor == _SCHEDULER else plain(record.actor),
        "request_id": None if record.request_id is None else plain(record.request_id),
        "attempt": facts.get("attempt"),
        "host": facts.get("host"),
        "sent_at": None if facts.get("sent_at") is None else float(facts["sent_at"]),  # as it will be read
        "facts": canonical_facts(rest) if rest else None,
    }


def _record_in(row: Any, *, project: str | None, connector: str | None, owner: str | None) -> AuditRecord:
    try:
        facts, action = json.loads(row.facts) if row.facts else {}, ACTIONS[RoutineKind(row.kind)]
    except (ValueError, TypeError, RecursionError):  # somebody spoilt it: the check says so, a list goes on
        facts, action = {}, "audit.unreadable"
    facts |= {name: value for name in sorted(_OF_COLUMNS) if (value := getattr(row, name)) is not None}
    return AuditRecord(
        at=row.at,
        action=action,
        actor=row.actor or _SCHEDULER,
        connector=connector,
        connection=row.connection,
        owner=owner,
        request_id=row.request_id,
        facts=facts,
        project=project or "",
    )


def _mac_of(key: bytes, seq: int, previous: bytes, columns: dict[str, Any]) -> bytes:
    """As a record of the main chain that has the row's parts for its facts."""
    said = {name: columns[name] for name in ("generation", "attempt", "host", "sent_at", "facts")}
    record = AuditRecord(
        columns["at"], str(columns["kind"]), columns["actor"] or "", connection=columns["connection"],
        request_id=columns["request_id"],
    )  # fmt: skip
    return mac_of(key, seq, previous, record, None, canonical_facts(said))[:MAC_BYTES]


def _safely(key: bytes, row: Any, previous: bytes) -> bytes | None:
    """The MAC that a row ought to have; None: somebody made it unreadable."""
    try:
        return _mac_of(key, row.seq, previous, row._asdict())
    except (ValueError, TypeError, OverflowError):
        return None


def mac_in(row: Any) -> bytes:
    """The MAC in a row or a mark; what is none any more fails where it is checked."""
    return row.mac if isinstance(row.mac, bytes) and len(row.mac) == MAC_BYTES else b""
