"""The chain: read, checked, signed, cut, and freed of a name.

Rule 1: checking reads in batches, each in a transaction of its own, and holds up no writer.
Rule 2: what is cut off is named by a signed mark, so that the chain can be checked from there on.
Rule 3: erasing takes the owner's name out of every table that has one; a test walks them.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from keyturn.adapters.sealing.data_keys import DataKeys
from keyturn.adapters.store.chained import routine
from keyturn.adapters.store.chained.audit_keys import AuditKeys, audit_keys, is_signed_by
from keyturn.adapters.store.chained.audit_row import ROWS, entry_in, in_project
from keyturn.adapters.store.chained.chain_writer import CUT, HEAD, ChainWriter, begin_chain
from keyturn.adapters.store.chained.folding import fold_some, take_away
from keyturn.adapters.store.chained.named_within import rename_within
from keyturn.adapters.store.chained.newest_first import newest_first
from keyturn.adapters.store.database.audit_tables import VERIFIED, audit_marks, audit_routine, audit_subjects
from keyturn.adapters.store.database.engine import Database, flush
from keyturn.adapters.store.database.schema import audit, connections, metadata, plain
from keyturn.adapters.store.rows.cursors import cursor_of, position_in
from keyturn.core.audit.chain import MAC_BYTES, START, ChainWalk, Entry, Fault, subject_mac
from keyturn.core.audit.checkpoint import Checkpoint, Kind
from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import ENDED
from keyturn.ports.audit import AuditFilter, Bounds
from keyturn.ports.clock import Clock

_MOST_STRANGERS: Final = 100
_BATCH: Final = 500
_ENDED: Final = [each.value for each in ENDED]
# Tables whose rows name an owner, but stay: the connections as tombstones, the ties as what is taken away last.
_STAYING: Final = frozenset({"connections", "audit_subjects"})


async def begun_chain(database: Database, keys: DataKeys, clock: Clock) -> AuditKeys:
    """Find the log's keys, chain what an older release wrote, and let write transactions add records."""
    found = await audit_keys(database, keys)
    database.provide(ChainWriter(found).add)
    now = clock.now()
    await database.write(lambda tx: begin_chain(tx, found, now))
    return found


class SqlAuditChain:
    """Promises: the port's."""

    def __init__(self, database: Database, keys: AuditKeys) -> None:
        self._database = database
        self._keys = keys
        self._writer = ChainWriter(keys)

    async def page(
        self, which: AuditFilter, *, cursor: str | None, limit: int, project: str = "default"
    ) -> tuple[Sequence[tuple[int, AuditRecord]], str | None]:
        """List, newest first."""
        of_one = which.connection is not None or which.owner is not None
        query = ROWS.where(in_project(project, of_one=of_one), *_conditions(which, project))
        others = routine.ROWS.where(routine.in_project(project))
        if cursor is not None:
            before = position_in(cursor, "audit", int)[0]
            query, others = query.where(audit.c.seq < before), others.where(audit_routine.c.seq < before)

        def body(tx: sa.Connection) -> list[tuple[int, AuditRecord]]:
            chosen = routine.conditions(tx, which, project)
            return newest_first(tx, query, None if chosen is None else others.where(*chosen), limit + 1)

        found = await self._database.read_together(body)
        shown = found[:limit]
        return tuple(shown), cursor_of("audit", shown[-1][0]) if len(found) > limit else None

    async def entry(self, seq: int, *, project: str = "default") -> Entry | None:
        """Read one."""
        query = ROWS.where(audit.c.project == project, audit.c.seq == seq)

        def body(tx: sa.Connection) -> Entry | None:
            row = tx.execute(query).one_or_none()
            return routine.entry(tx, seq, project) if row is None else entry_in(row)

        return await self._database.read_together(body)

    async def entries(self, after: int, *, limit: int) -> Sequence[Entry]:
        """The records after a number."""
        query = ROWS.where(audit.c.seq > after).order_by(audit.c.seq).limit(limit)
        rows = await self._database.read(lambda tx: tx.execute(query).all())
        return tuple(entry_in(row) for row in rows)

    async def both(self, after: int, *, limit: int) -> Sequence[Entry]:
        """The records of both chains after a number."""
        query = ROWS.where(audit.c.seq > after).order_by(audit.c.seq).limit(limit)

        def body(tx: sa.Connection) -> list[Entry]:
            found = [*map(entry_in, tx.execute(query)), *routine.newer(tx, after, limit)]
            return sorted(found, key=lambda each: each.seq)[:limit]

        return await self._database.read_together(body)

    async def bounds(self) -> Bounds:
        """Where it begins and ends."""
        query = sa.select(audit_marks).where(audit_marks.c.name.in_((HEAD, CUT)))
        marks = {row.name: row for row in await self._database.read(lambda tx: tx.execute(query).all())}
        head = (marks[HEAD].seq, _mac_in(marks[HEAD])) if HEAD in marks else (0, b"")
        if CUT not in marks:
            return Bounds((0, START), head)
        cut = marks[CUT]
        start = (cut.seq, _mac_in(cut))
        said = Checkpoint(Kind.CUT, cut.seq, start[1], cut.at, signature=cut.signature or b"")
        return Bounds(start, head, None if self.is_signed(said) else Fault(cut.seq + 1, "cut_unsigned"))

    async def check(self, after: tuple[int, bytes], *, until: int, limit: int) -> tuple[Sequence[Entry], Fault | None]:
        """The next records that are right, and what is wrong with the one after them."""
        query = ROWS.where(audit.c.seq > after[0], audit.c.seq <= until).order_by(audit.c.seq).limit(limit)
        rows = await self._database.read(lambda tx: tx.execute(query).all())
        walk = ChainWalk(self._keys.mac_key, *after)
        right: list[Entry] = []
        for row in rows:
            entry = entry_in(row)
            fault = walk.take(entry)
            if fault is not None:
                return right, fault
            right.append(entry)
        return right, None

    async def routine_bounds(self) -> Bounds:
        """Where the chain of routine records begins and ends."""
        return await self._database.read_together(lambda tx: routine.bounds(tx, self._keys))

    async def check_routine(
        self, after: tuple[int, bytes], *, until: int, limit: int
    ) -> tuple[Sequence[Entry], Fault | None]:
        """The next routine records that are right, and what is wrong with the one after them."""
        key = self._keys.routine_key
        return await self._database.read_together(lambda tx: routine.check(tx, key, after, until=until, limit=limit))

    async def fold(self, *, before: float, at: float) -> int:
        """Tell whole days of routine records in the main chain, and take them away."""
        part, number = partial(fold_some, writer=self._writer, before=before, at=at), 0
        while (some := await self._database.write(part)) is not None:
            number += some
        while await self._database.write(take_away):
            pass
        return number

    async def strangers(self) -> Sequence[str]:
        """Subjects that somebody tied to another owner."""
        found: list[str] = []
        last = ""
        while len(found) < _MOST_STRANGERS:
            rows = await self._database.read(partial(_ties, after=last))
            if not rows:
                break
            found += [row.subject for row in rows if not self._tied(row)]
            last = rows[-1].subject
        return found[:_MOST_STRANGERS]

    async def sign(self, checkpoint: Checkpoint) -> Checkpoint:
        """Put public key and signature on it."""
        return self._keys.signed(checkpoint)

    def is_signed(self, checkpoint: Checkpoint) -> bool:
        """Whether this log signed it."""
        return is_signed_by(self._keys.public_key, checkpoint)

    async def cut(self, *, before: float, at: float) -> int:
        """Cut off the oldest records, as far as all of them are older; never the newest one."""

        def body(tx: sa.Connection) -> int:
            flush(tx)
            first_kept = sa.select(sa.func.min(audit.c.seq)).where(audit.c.at >= before)
            newest = sa.select(sa.func.max(audit.c.seq))
            end = tx.execute(first_kept).scalar() or tx.execute(newest).scalar() or 0
            last = tx.execute(
                sa.select(audit.c.seq, audit.c.mac).where(audit.c.seq < end).order_by(audit.c.seq.desc()).limit(1)
            ).one_or_none()
            if last is None:
                return 0
            mark = self._keys.signed(Checkpoint(Kind.CUT, last.seq, _mac_in(last), at))
            _put_mark(tx, CUT, seq=mark.seq, mac=mark.mac, at=at, signature=mark.signature)
            number = tx.execute(sa.delete(audit).where(audit.c.seq <= last.seq)).rowcount
            facts = {"records": number, "through": last.seq, "mac": mark.mac.hex()}
            self._writer.add(tx, [AuditRecord(at, "audit.cut", "scheduler", facts=facts)])
            return number

        return await self._database.write(body)

    async def sent(self, sink: str) -> int | None:
        """The number of the last record that this sink was sent."""
        query = sa.select(audit_marks.c.seq).where(audit_marks.c.name == f"sink:{sink}")
        return await self._database.read(lambda tx: tx.execute(query).scalar())

    async def note_sent(self, sink: str, seq: int, *, at: float) -> None:
        """Note that."""
        await self._database.write(lambda tx: _put_mark(tx, f"sink:{sink}", seq=seq, at=at))

    async def verified_at(self) -> float | None:
        """When it was found right last."""
        query = sa.select(audit_marks.c.at).where(audit_marks.c.name == VERIFIED)
        return await self._database.read(lambda tx: tx.execute(query).scalar())

    async def note_verified(self, seq: int, *, at: float) -> None:
        """Note that."""
        await self._database.write(lambda tx: _put_mark(tx, VERIFIED, seq=seq, at=at))

    async def subject_of(self, owner: str, *, project: str = "default") -> str | None:
        """The subject that stands for an owner."""
        query = sa.select(audit_subjects.c.subject).where(
            audit_subjects.c.project == project, audit_subjects.c.owner == owner
        )
        return await self._database.read(lambda tx: tx.execute(query).scalar())

    async def erase(self, owner: str, *, records: Sequence[AuditRecord], project: str = "default") -> int:
        """Take the owner's name out of all rows."""

        def body(tx: sa.Connection) -> int:
            flush(tx)  # what was left by others would name the owner anew
            subject = self._writer.subject_of(tx, owner, project)
            number = _make_nameless(tx, owner, project, subject)
            self._writer.add(tx, records)
            tx.execute(sa.delete(audit_subjects).where(audit_subjects.c.subject == subject))
            return number

        return await self._database.write(body)

    def _tied(self, row: sa.Row[Any]) -> bool:
        return hmac.compare_digest(subject_mac(self._keys.mac_key, row.subject, row.project, row.owner), _mac_in(row))


def _ties(tx: sa.Connection, *, after: str) -> Sequence[sa.Row[Any]]:
    query = sa.select(audit_subjects).where(audit_subjects.c.subject > after)
    return tx.execute(query.order_by(audit_subjects.c.subject).limit(_BATCH)).all()


def _make_nameless(tx: sa.Connection, owner: str, project: str, subject: str) -> int:
    """Tombstones, jobs and limits of API keys name the subject; other rows that name the owner go."""
    number = 0
    for table in metadata.sorted_tables:
        if "owner" in table.c and table.name not in _STAYING:
            of_owner = (table.c.project == project, table.c.owner == owner)
            number += tx.execute(sa.delete(table).where(*of_owner)).rowcount
    c = connections.c
    ended = (
        sa.update(connections)
        .where(c.project == project, c.owner == owner, c.state.in_(_ENDED))
        .values(owner=subject, name="", unique_id="", unique_hash=b"", fields="{}", revision=c.revision + 1)
    )
    return number + int(tx.execute(ended).rowcount) + rename_within(tx, owner, project, subject)


def _mac_in(row: Any) -> bytes:
    return row.mac if isinstance(row.mac, bytes) and len(row.mac) == MAC_BYTES else b""


def _put_mark(tx: sa.Connection, name: str, **values: Any) -> None:
    if tx.execute(sa.update(audit_marks).where(audit_marks.c.name == name).values(**values)).rowcount == 0:
        tx.execute(sa.insert(audit_marks).values(name=name, **values))


def _conditions(which: AuditFilter, project: str) -> list[sa.ColumnElement[bool]]:
    columns = {
        audit.c.actor: which.actor,
        audit.c.action: which.action,
        audit.c.connection: which.connection,
        audit.c.connector: which.connector,
        audit.c.outcome: which.outcome,
    }
    conditions = [column == plain(value) for column, value in columns.items() if value is not None]
    if which.owner is not None:
        of_owner = sa.select(audit_subjects.c.subject).where(
            audit_subjects.c.project == project, audit_subjects.c.owner == plain(which.owner)
        )
        either = sa.union_all(of_owner, sa.select(sa.literal(plain(which.owner))))
        theirs = sa.select(audit.c.seq).where(audit.c.project == project, audit.c.subject.in_(either))
        conditions.append(audit.c.seq.in_(theirs))
    if which.since is not None:
        conditions.append(audit.c.at >= which.since)
    if which.until is not None:
        conditions.append(audit.c.at < which.until)
    if which.without:
        conditions.append(audit.c.action.not_in(sorted(plain(each) for each in which.without)))
    if which.connectors is not None:
        conditions.append(audit.c.connector.in_(sorted(which.connectors)))
    return conditions
