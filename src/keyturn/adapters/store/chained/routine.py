"""The chain of routine records in the database: added, read, checked, told by the day, and cut.

Rule 1: a row has what no other table tells: connector, project and person are its connection's.
Rule 2: a row's MAC is over everything in it and the MAC of the row before; it is as long as half a SHA-256.
Rule 3: a day is told in the main chain before its rows go, and how far that came stands beside it: what dies in the
middle goes on where it was, and tells nothing twice.
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
from keyturn.adapters.store.database.schema import connections, plain
from keyturn.core.audit.chain import TOLD_OF_A_MAC, Entry, Fault, canonical_facts, mac_of
from keyturn.core.audit.checkpoint import Checkpoint, Kind
from keyturn.core.audit.kinds import RecordKind
from keyturn.core.audit.routine import ACTIONS, DAY_S, Day, RoutineKind, routine_kind
from keyturn.core.audit_record import AuditRecord
from keyturn.ports.audit import AuditFilter, Bounds

HEAD: Final = "routine head"
CUT: Final = "routine cut"
FOLD: Final = "routine fold"
MAC_BYTES: Final = 16
START: Final = bytes(MAC_BYTES)
CUT_AT_ONCE: Final = 5_000
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
_INSERT: Final = sa.insert(audit_routine)
_MARK: Final = sa.select(audit_marks).where(audit_marks.c.name == sa.bindparam("of_mark"))
_KINDS_OF: Final = {
    RecordKind.RENEWALS: (RoutineKind.RENEWED,),
    RecordKind.CALLS: (RoutineKind.TOKEN_VENDED,),
    RecordKind.FAILURES: (),
    RecordKind.CHANGES: (),
}


def routine_head(tx: sa.Connection) -> tuple[int, bytes]:
    """The number and MAC of the newest routine record; (0, zeros) before the first."""
    row = tx.execute(_MARK, {"of_mark": HEAD}).one_or_none()
    return (0, START) if row is None else (row.seq, _mac_in(row))


def routine_among(tx: sa.Connection, records: Sequence[AuditRecord]) -> frozenset[int]:
    """Which of these belong here, by their places: routine ones of which their connection tells all that no row has."""
    found = {n: each for n, each in enumerate(records) if routine_kind(each) is not None}
    if not found:
        return frozenset()
    about = sa.select(_c.id, _c.project, _c.connector, _c.owner).where(
        _c.id.in_({each.connection for each in found.values()})
    )
    known = {tuple(row) for row in tx.execute(about)}
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
    tx.execute(_INSERT, rows)
    put_mark(tx, HEAD, seq=records[-1][0], mac=previous, at=records[-1][1].at)


def record_in(row: sa.Row[Any]) -> AuditRecord:
    """Read a record of `ROWS`."""
    return _record_in(row, project=row.project or "default", connector=row.connector, owner=row.owner)


def of_kind(kind: RecordKind | None) -> list[sa.ColumnElement[bool]]:
    """As `audit.of_kind`, of routine records."""
    return [] if kind is None else [_r.kind.in_([each.value for each in _KINDS_OF[kind]])]


def conditions(which: AuditFilter) -> list[sa.ColumnElement[bool]] | None:
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
        found.append(_c.connector == plain(which.connector))
    if which.connectors is not None:
        found.append(_c.connector.in_(sorted(which.connectors)))
    if which.owner is not None:
        owner = plain(which.owner)
        found.append(sa.or_(_c.owner == owner, audit_subjects.c.subject == owner))
    if which.since is not None:
        found.append(_r.at >= which.since)
    if which.until is not None:
        found.append(_r.at < which.until)
    return found


def in_project(project: str) -> sa.ColumnElement[bool]:
    """The routine records of a project; a row whose connection is gone is of the first."""
    return sa.func.coalesce(_c.project, "default") == project


def bounds(tx: sa.Connection, keys: AuditKeys) -> Bounds:
    """Where the chain begins and ends now."""
    head, row = routine_head(tx), tx.execute(_MARK, {"of_mark": CUT}).one_or_none()
    if row is None:
        return Bounds((0, START), head)
    said = Checkpoint(Kind.ROUTINE_CUT, row.seq, _mac_in(row), row.at, signature=row.signature or b"")
    ours = is_signed_by(keys.public_key, said)
    return Bounds((row.seq, _mac_in(row)), head, None if ours else Fault(row.seq + 1, "cut_unsigned"))


def check(
    tx: sa.Connection, key: bytes, after: tuple[int, bytes], *, until: int, limit: int
) -> tuple[list[Entry], Fault | None]:
    """The next records that are right, and what is wrong with the one after them."""
    query = _BARE.where(_r.seq > after[0], _r.seq <= until).order_by(_r.seq).limit(limit)
    previous, right = after[1], list[Entry]()
    for row in tx.execute(query).all():
        expected = _safely(key, row, previous)
        if expected is None:
            return right, Fault(row.seq, "changed", "", _mac_in(row).hex())
        if not hmac.compare_digest(expected, _mac_in(row)):
            return right, Fault(row.seq, "changed", expected.hex()[:TOLD_OF_A_MAC], _mac_in(row).hex())
        record = _record_in(row, project="default", connector=None, owner=None)
        right.append(Entry(row.seq, record, None, "", previous, expected))
        previous = expected
    return right, None


def entry(tx: sa.Connection, seq: int, project: str) -> Entry | None:
    """One record with its place in this chain."""
    row = tx.execute(ROWS.where(in_project(project), _r.seq == seq)).one_or_none()
    if row is None:
        return None
    before = sa.select(_r.mac).where(_r.seq < seq).order_by(_r.seq.desc()).limit(1)
    record, previous = record_in(row), tx.execute(before).scalar() or START
    return Entry(seq, record, row.subject, canonical_facts(record.facts), previous, _mac_in(row))


def days_before(tx: sa.Connection, before: float) -> tuple[int, list[Day]]:
    """The number up to which all routine records are older, and their days, in order; a day is told whole."""
    told = tx.execute(_MARK, {"of_mark": FOLD}).one_or_none()
    if told is not None:  # one that was begun is ended first
        return told.seq, _days(tx, told.seq, (told.mac or b"").decode())
    first_kept = tx.execute(sa.select(sa.func.min(_r.seq)).where(_r.at >= before)).scalar()
    query = sa.select(sa.func.max(_r.seq))
    through = tx.execute(query if first_kept is None else query.where(_r.seq < first_kept)).scalar() or 0
    return through, _days(tx, through, "") if through else []


def _days(tx: sa.Connection, through: int, after: str) -> list[Day]:
    day = sa.cast(_r.at / DAY_S, sa.Integer)
    query = (
        sa.select(_r.connection, _r.kind, day, sa.func.count(), sa.func.min(_r.generation),
                  sa.func.max(_r.generation), sa.func.max(_r.at))
        .where(_r.seq <= through, _r.connection > after)
        .group_by(_r.connection, _r.kind, day)
        .order_by(_r.connection, day, _r.kind)
    )  # fmt: skip
    return [
        Day(connection, RoutineKind(kind), number * DAY_S, count, first, last, at)
        for connection, kind, number, count, first, last, at in tx.execute(query)
    ]


def cut_through(tx: sa.Connection, keys: AuditKeys, through: int, at: float) -> None:
    """Say, signed, that all up to this record goes; their days are told."""
    mac = tx.execute(sa.select(_r.mac).where(_r.seq == through)).scalar()
    if mac is not None:
        mark = keys.signed(Checkpoint(Kind.ROUTINE_CUT, through, mac, at))
        put_mark(tx, CUT, seq=through, mac=mac, at=at, signature=mark.signature)
    tx.execute(sa.delete(audit_marks).where(audit_marks.c.name == FOLD))


def take_away(tx: sa.Connection) -> int:
    """Take some of the rows away that were cut off; returns how many."""
    cut = tx.execute(_MARK, {"of_mark": CUT}).one_or_none()
    if cut is None:
        return 0
    some = sa.select(_r.seq).where(_r.seq <= cut.seq).order_by(_r.seq).limit(CUT_AT_ONCE)
    return tx.execute(sa.delete(audit_routine).where(_r.seq.in_(some))).rowcount


def put_mark(tx: sa.Connection, name: str, **values: Any) -> None:
    """Write a mark along a chain."""
    new = insert(audit_marks).values(name=name, **values)
    tx.execute(new.on_conflict_do_update(index_elements=["name"], set_=values))


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
        "sent_at": facts.get("sent_at"),
        "facts": canonical_facts(rest) if rest else None,
    }


def _record_in(row: Any, *, project: str, connector: str | None, owner: str | None) -> AuditRecord:
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
        project=project,
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


def _mac_in(row: Any) -> bytes:
    return row.mac if isinstance(row.mac, bytes) and len(row.mac) == MAC_BYTES else b""
