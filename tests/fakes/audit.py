"""The audit log as a chain in memory: reckoned from the records whenever somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keyturn.adapters.store.chained.audit_keys import is_signed_by
from keyturn.core.audit.chain import START, SUBJECT, ChainWalk, Entry, Fault, canonical_facts, mac_of
from keyturn.core.audit.checkpoint import Checkpoint
from keyturn.core.audit.routine import DAY_S, MAC_BYTES, Day, RoutineKind, folded, routine_kind
from keyturn.core.audit.routine import START as ROUTINE_START
from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection
from keyturn.ports.audit import AuditFilter, Bounds
from tests.fakes.cursors import page_of
from tests.fakes.database import FakeDatabase

KEY = bytes(range(32))
SIGNING = Ed25519PrivateKey.from_private_bytes(bytes(32))


class FakeAuditChain:
    """Promises: `tests/contracts/audit_chain_contract.py`.

    `tampered`: called with the entries whenever they are read, and returns what somebody made of them.
    """

    def __init__(
        self, database: FakeDatabase, rows: dict[str, tuple[Connection, Any]], forget: Callable[[str, str, str], int]
    ) -> None:
        self._database = database
        self._rows = rows
        self._forget = forget
        self._subjects: dict[tuple[str, str], str] = {}
        self._numbers = count(1)
        self._cut = 0
        self._folded = 0
        self._verified_at: float | None = None
        self._sent: dict[str, int] = {}
        self.tampered: Callable[[list[Entry]], list[Entry]] = lambda entries: entries

    async def page(
        self, which: AuditFilter, *, cursor: str | None, limit: int, project: str = "default"
    ) -> tuple[Sequence[tuple[int, AuditRecord]], str | None]:
        """List, newest first."""
        await self._database.read()
        kept = [each for each in self._chained(routine=True) if each.seq > self._folded]
        both = sorted([*self._entries(), *kept], key=lambda each: each.seq)
        found = [each for each in both if each.record.project == project and _matches(which, each)]
        return page_of([(str(each.seq), (each.seq, each.record)) for each in found[::-1]], cursor, limit)

    async def entry(self, seq: int, *, project: str = "default") -> Entry | None:
        """Read one."""
        await self._database.read()
        both = [*self._entries(), *(each for each in self._chained(routine=True) if each.seq > self._folded)]
        return next((each for each in both if (each.seq, each.record.project) == (seq, project)), None)

    async def entries(self, after: int, *, limit: int) -> Sequence[Entry]:
        """The records after a number."""
        await self._database.read()
        return [each for each in self._entries() if each.seq > after][:limit]

    async def both(self, after: int, *, limit: int) -> Sequence[Entry]:
        """The records of both chains after a number."""
        await self._database.read()
        kept = [each for each in self._chained(routine=True) if each.seq > self._folded]
        return sorted([each for each in (*self._entries(), *kept) if each.seq > after], key=lambda e: e.seq)[:limit]

    async def bounds(self) -> Bounds:
        """Where it begins and ends."""
        await self._database.read()
        every = self._every()
        start = (every[self._cut - 1].seq, every[self._cut - 1].mac) if self._cut else (0, START)
        return Bounds(start, (every[-1].seq, every[-1].mac) if every else (0, START))

    async def check(self, after: tuple[int, bytes], *, until: int, limit: int) -> tuple[Sequence[Entry], Fault | None]:
        """The next records that are right."""
        await self._database.read()
        walk, right = ChainWalk(KEY, *after), list[Entry]()
        for entry in [each for each in self._entries() if after[0] < each.seq <= until][:limit]:
            if (fault := walk.take(entry)) is not None:
                return right, fault
            right.append(entry)
        return right, None

    async def routine_bounds(self) -> Bounds:
        """Where the other chain begins and ends."""
        await self._database.read()
        every = self._chained(routine=True)
        gone = [each for each in every if each.seq <= self._folded]
        start = (gone[-1].seq, gone[-1].mac) if gone else (0, ROUTINE_START)
        return Bounds(start, (every[-1].seq, every[-1].mac) if every else (0, ROUTINE_START))

    async def check_routine(
        self, after: tuple[int, bytes], *, until: int, limit: int
    ) -> tuple[Sequence[Entry], Fault | None]:
        """The next routine records."""
        await self._database.read()
        return [each for each in self._chained(routine=True) if after[0] < each.seq <= until][:limit], None

    async def fold(self, *, before: float, at: float) -> int:
        """Tell days in the main chain."""
        await self._database.write("audit.fold")
        days: dict[tuple[str, RoutineKind, float], list[AuditRecord]] = {}
        for each in self._chained(routine=True):
            if each.seq <= self._folded:
                continue
            if each.record.at >= before:
                break
            self._folded = each.seq
            kind = routine_kind(each.record)
            assert kind is not None
            day = each.record.at // DAY_S * DAY_S
            days.setdefault((each.record.connection or "", kind, day), []).append(each.record)
        for (connection, kind, day), records in sorted(days.items(), key=lambda each: (each[0][0], each[0][2])):
            generations = [g for each in records if isinstance(g := each.facts.get("generation"), int)]
            hosts = tuple(sorted({str(each.facts["host"]) for each in records if "host" in each.facts}))
            told = Day(connection, kind, day, len(records), min(generations, default=None),
                       max(generations, default=None), hosts)  # fmt: skip
            of = records[0]
            record = replace(folded(told, at), connector=of.connector, owner=of.owner, project=of.project)
            self._database.log([record])
        return len(days)

    async def strangers(self) -> Sequence[str]:
        """Nobody ties a subject to another in memory."""
        await self._database.read()
        return ()

    async def sign(self, checkpoint: Checkpoint) -> Checkpoint:
        """Put public key and signature on it."""
        key = SIGNING.public_key().public_bytes_raw()
        return replace(checkpoint, public_key=key, signature=SIGNING.sign(checkpoint.signed_text()))

    def is_signed(self, checkpoint: Checkpoint) -> bool:
        """Whether this log signed it."""
        return is_signed_by(SIGNING.public_key().public_bytes_raw(), checkpoint)

    async def cut(self, *, before: float, at: float) -> int:
        """Cut off the oldest records, as far as all of them are older."""
        await self._database.write("audit.cut")
        old, kept = self._cut, self._every()
        while self._cut < len(kept) - 1 and kept[self._cut].record.at < before:
            self._cut += 1
        if self._cut > old:
            last = kept[self._cut - 1]
            facts = {"records": self._cut - old, "through": last.seq, "mac": last.mac.hex()}
            self._database.log([AuditRecord(at, "audit.cut", "scheduler", facts=facts)])
        return self._cut - old

    async def sent(self, sink: str) -> int | None:
        """The last record that this sink was sent."""
        await self._database.read()
        return self._sent.get(sink)

    async def note_sent(self, sink: str, seq: int, *, at: float) -> None:
        """Note that."""
        await self._database.write("audit.note_sent")
        self._sent[sink] = seq

    async def verified_at(self) -> float | None:
        """When it was found right last."""
        await self._database.read()
        return self._verified_at

    async def note_verified(self, seq: int, *, at: float) -> None:
        """Note that."""
        await self._database.write("audit.note_verified")
        self._verified_at = at

    async def subject_of(self, owner: str, *, project: str = "default") -> str | None:
        """The subject that stands for an owner."""
        await self._database.read()
        self._every()
        return self._subjects.get((project, owner))

    async def erase(self, owner: str, *, records: Sequence[AuditRecord], project: str = "default") -> int:
        """Take the owner's name out of everything."""
        await self._database.write("audit.erase")
        self._database.log(records)
        subject = self._subject(owner, project)
        number = self._forget(owner, project, subject)
        for connection_id, (connection, secrets) in self._rows.items():
            if connection.ended and (connection.owner, connection.project) == (owner, project):
                changes = {"owner": subject, "name": "", "unique_id": "", "fields": {}}
                nameless = replace(connection, revision=connection.revision + 1, **changes)  # type: ignore[arg-type]
                self._rows[connection_id] = (nameless, secrets)
                number += 1
        self._database.records[:] = [
            replace(each, owner=subject) if (each.owner, each.project) == (owner, project) else each
            for each in self._database.records
        ]
        self._subjects.pop((project, owner), None)
        return number

    def _subject(self, owner: str, project: str) -> str:
        if SUBJECT.fullmatch(owner):
            return owner
        return self._subjects.setdefault((project, owner), f"sub_{next(self._numbers):032x}")

    def _every(self) -> list[Entry]:
        return self._chained(routine=False)

    def _chained(self, *, routine: bool) -> list[Entry]:
        """One of both chains; they share the numbers."""
        found, previous = list[Entry](), ROUTINE_START if routine else START
        for seq, record in enumerate(self._database.records, start=1):
            if (routine_kind(record) is not None) is not routine:
                continue
            subject = None if record.owner is None else self._subject(record.owner, record.project)
            facts = canonical_facts(record.facts)
            mac = mac_of(KEY, seq, previous, record, subject, facts)
            mac = mac[:MAC_BYTES] if routine else mac
            found.append(Entry(seq, record, subject, facts, previous, mac, routine=routine))
            previous = mac
        return found

    def _entries(self) -> list[Entry]:
        return self.tampered(self._every()[self._cut :])


def _matches(which: AuditFilter, entry: Entry) -> bool:
    record = entry.record
    names = ("actor", "action", "connection", "connector", "outcome")
    return (
        all(getattr(which, name) in (None, getattr(record, name)) for name in names)
        and which.owner in (None, record.owner, entry.subject)
        and (which.since is None or record.at >= which.since)
        and (which.until is None or record.at < which.until)
        and record.action not in which.without
        and (which.connectors is None or record.connector in which.connectors)
    )
