"""Putting records at the end of the chain, within the transaction of the write that they tell of.

Rule 1: SQLite lets one transaction write at a time; elsewhere the mark `head` is locked first. So numbers have no gap.
The records of all writes of one commit are added at its end, so that the head is moved once.
Rule 2: nothing is remembered between transactions: another process may have written, or erased a name.
Rule 3: an owner that is an erased subject stands for itself: what still happens to a tombstone names nobody anew.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from keyturn.adapters.store.chained.audit_keys import AuditKeys
from keyturn.adapters.store.chained.audit_row import record_in
from keyturn.adapters.store.chained.routine import add_routine, begin_routine, routine_among, routine_head
from keyturn.adapters.store.database.audit_tables import audit_marks, audit_subjects
from keyturn.adapters.store.database.prepared import Prepared
from keyturn.adapters.store.database.schema import audit, plain
from keyturn.core.audit.chain import START, SUBJECT, canonical_facts, mac_of, subject_mac
from keyturn.core.audit.checkpoint import Checkpoint, Kind
from keyturn.core.audit_record import AuditRecord

HEAD: Final = "head"
CUT: Final = "cut"
_HEAD_NOW: Final = Prepared(sa.select(audit_marks.c.seq, audit_marks.c.mac).where(audit_marks.c.name == HEAD))
_MOVE_HEAD: Final = Prepared(
    sa.update(audit_marks)
    .where(audit_marks.c.name == HEAD)
    .values(seq=sa.bindparam("to_seq"), mac=sa.bindparam("to_mac"), at=sa.bindparam("to_at"))
)
_SUBJECT_OF: Final = Prepared(
    sa.select(audit_subjects.c.subject).where(
        audit_subjects.c.project == sa.bindparam("of_project"), audit_subjects.c.owner == sa.bindparam("of_owner")
    )
)
_INSERT: Final = Prepared(sa.insert(audit))
_OWNED: Final = sa.select(audit_subjects.c.owner).where(audit_subjects.c.subject == sa.bindparam("of_subject"))
_SPOKEN_OF: Final = (
    sa.select(audit.c.seq)
    .where(audit.c.project == sa.bindparam("of_project"), audit.c.subject == sa.bindparam("of_subject"))
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class ChainWriter:
    """Knows the keys; the database hands it what the writes of a commit recorded."""

    keys: AuditKeys

    def add(self, tx: sa.Connection, records: Sequence[AuditRecord]) -> None:
        """Add records, in order: each to the chain that it belongs to, numbered through both."""
        head, routine = _HEAD_NOW.row(tx, {}), routine_head(tx)
        seq = max(head.seq, routine[0] if routine is not None else 0)
        previous, rows, of_routine = head.mac, list[dict[str, Any]](), list[tuple[int, AuditRecord]]()
        apart = routine_among(tx, records) if routine is not None else frozenset[int]()
        for n, record in enumerate(records):
            seq += 1
            if n in apart:
                of_routine.append((seq, record))
                continue
            columns = self._columns_of(tx, record)
            mac = mac_of(
                self.keys.mac_key, seq, previous, _as_stored(record, columns), columns["subject"], columns["facts"]
            )
            rows.append({**columns, "seq": seq, "previous": previous, "mac": mac})
            previous = mac
        if rows:
            _INSERT.run_each(tx, rows)
            _MOVE_HEAD.run(tx, {"to_seq": rows[-1]["seq"], "to_mac": previous, "to_at": rows[-1]["at"]})
        if routine is not None and of_routine:
            add_routine(tx, self.keys.routine_key, of_routine, routine)

    def subject_of(self, tx: sa.Connection, owner: str, project: str) -> str:
        """The subject of an owner, a new one where there is none."""
        owner, project = plain(owner), plain(project)
        known = _SUBJECT_OF.row(tx, {"of_project": project, "of_owner": owner})
        if known is not None:
            subject: str = known.subject
            return subject
        if SUBJECT.fullmatch(owner) and is_erased(tx, owner, project):
            return owner
        subject = f"sub_{os.urandom(16).hex()}"
        mac = subject_mac(self.keys.mac_key, subject, project, owner)
        tx.execute(sa.insert(audit_subjects).values(subject=subject, project=project, owner=owner, mac=mac))
        return subject

    def _columns_of(self, tx: sa.Connection, record: AuditRecord) -> dict[str, Any]:
        return {
            "project": plain(record.project),
            "at": record.at,
            "action": plain(record.action),
            "actor": plain(record.actor),
            "outcome": plain(record.outcome),
            "connector": _plain(record.connector),
            "connection": _plain(record.connection),
            "subject": None if record.owner is None else self.subject_of(tx, record.owner, record.project),
            "request_id": _plain(record.request_id),
            "facts": canonical_facts(record.facts),
        }


def is_erased(tx: sa.Connection, subject: str, project: str) -> bool:
    """Whether the log speaks of this subject, and nobody knows any more who it is."""
    if tx.execute(_OWNED, {"of_subject": subject}).scalar() is not None:
        return False
    return tx.execute(_SPOKEN_OF, {"of_project": project, "of_subject": subject}).scalar() is not None


def _plain(text: str | None) -> str | None:
    return None if text is None else plain(text)


def _as_stored(record: AuditRecord, columns: dict[str, Any]) -> AuditRecord:
    """The record as it will be read: a lone surrogate is mended on the way into a row."""
    names = ("at", "action", "actor", "outcome", "connector", "connection", "request_id", "project")
    return AuditRecord(**{name: columns[name] for name in names})


def begin_chain(tx: sa.Connection, keys: AuditKeys, at: float) -> None:
    """Chain what stands there without a chain, and say so; does nothing where the chain was begun.

    An older release wrote it, or the key of its chain was given up as lost. What was cut off before stays cut off.
    """
    if _HEAD_NOW.row(tx, {}) is not None:
        return
    tx.execute(sa.insert(audit_marks).values(name=HEAD, seq=0, mac=START, at=at))
    begin_routine(tx, keys, at)
    for row in tx.execute(sa.select(audit_subjects).where(audit_subjects.c.mac.is_(None))).all():
        mac = subject_mac(keys.mac_key, row.subject, row.project, row.owner)
        tx.execute(sa.update(audit_subjects).where(audit_subjects.c.subject == row.subject).values(mac=mac))
    seq, previous, number = 0, START, 0
    first = tx.execute(sa.select(sa.func.min(audit.c.seq))).scalar() or 1
    if first > 1:
        mark = keys.signed(Checkpoint(Kind.CUT, first - 1, START, at))
        tx.execute(sa.insert(audit_marks).values(name=CUT, seq=mark.seq, mac=mark.mac, at=at, signature=mark.signature))
    while found := tx.execute(sa.select(audit).where(audit.c.seq > seq).order_by(audit.c.seq).limit(500)).all():
        for row in found:
            previous, seq, number = _chained(tx, keys, row, previous), row.seq, number + 1
    if number:
        _MOVE_HEAD.run(tx, {"to_seq": seq, "to_mac": previous, "to_at": at})
        said = AuditRecord(at, "audit.chain_started", "operator", facts={"records": number})
        ChainWriter(keys).add(tx, [said])


def _chained(tx: sa.Connection, keys: AuditKeys, row: sa.Row[Any], previous: bytes) -> bytes:
    record = record_in(row, None)
    facts = canonical_facts(record.facts)
    mac = mac_of(keys.mac_key, row.seq, previous, record, row.subject, facts)
    tx.execute(sa.update(audit).where(audit.c.seq == row.seq).values(previous=previous, mac=mac, facts=facts))
    return mac
